// Runs named scenarios against the server that the environment names, and prints one JSON line for each.
//
// Nothing printed differs from run to run. A scenario that throws prints the error as its result.
'use strict';

const { Client } = require('pg');

const schema = process.env.CLIENT_SCHEMA;
const servers = Number(process.env.CLIENT_SERVERS || '2');
const scenarios = [];

/** Registers a scenario; one that needs two servers at a time is left out where there is only one. */
function scenario(name, body, { connections = 1 } = {}) {
  scenarios.push({ name, body, connections });
}

/** Every field of a server's error that a client can see. */
function failure(error) {
  const told = { error: error.constructor.name, message: error.message };
  for (const name of ['severity', 'code', 'detail', 'hint', 'position', 'internalPosition', 'internalQuery', 'where', 'schema',
    'table', 'column', 'dataType', 'constraint', 'routine']) {
    if (error[name] !== undefined) told[name] = error[name];
  }
  return told;
}

/** What a promise gives, be it a value or an error. */
async function attempt(promise) {
  try {
    return await promise;
  } catch (error) {
    return failure(error);
  }
}

/** All that a statement answers. */
function told(result) {
  if (Array.isArray(result)) return result.map(told);
  return {
    command: result.command,
    count: result.rowCount,
    columns: result.fields.map((field) => [field.name, field.dataTypeID < 16384 ? field.dataTypeID : 'own', field.format]),
    rows: result.rows,
  };
}

/** A connection in the program's own schema, closed at the end. */
async function connected(body, options = {}) {
  const client = new Client({ connectionTimeoutMillis: 60000, ...options });
  client.on('error', () => {});
  await client.connect();
  try {
    await client.query(`SET search_path = ${schema}`);
    return await body(client);
  } finally {
    await client.end();
  }
}

/** Runs every scenario; one that needs more servers than there are says so. */
async function run() {
  for (const { name, body, connections } of scenarios) {
    const result = connections <= servers ? await attempt(body()) : 'needs more servers';
    process.stdout.write(`${JSON.stringify({ scenario: name, result: result === undefined ? null : result })}\n`);
  }
}

module.exports = { Client, attempt, connected, failure, run, scenario, schema, told };
