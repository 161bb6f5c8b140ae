// What node-postgres does with a server, with its cursors and COPY streams.
'use strict';

const { once } = require('node:events');
const { Writable } = require('node:stream');
const { pipeline } = require('node:stream/promises');
const { Pool } = require('pg');
const Cursor = require('pg-cursor');
const copy = require('pg-copy-streams');
const { Client, attempt, connected, run, scenario, schema, told } = require('./scenarios.js');

const range = (count) => Array.from({ length: count }, (_, index) => index);

scenario('simple query', () => connected(async (client) => [
  told(await client.query("SELECT 1 AS one, 'two' AS two, NULL AS nothing")),
  told(await client.query('SELECT id, name, price, feeling FROM items WHERE id < 4 ORDER BY id')),
  told(await client.query("SELECT 1; INSERT INTO log (said) VALUES ('x'); SELECT 'end'")),
  told(await client.query('')),
  await attempt(client.query('SELECT 1; SELECT 1 / 0; SELECT 2')),
]));

scenario('every type comes out', () => connected(async (client) => [
  told(await client.query('SELECT * FROM kinds ORDER BY id')),
  told(await client.query('SELECT * FROM kinds WHERE id = $1', [1])),
  told(await client.query({ text: 'SELECT whole, large, double, bytes, zoned, words, is_on FROM kinds WHERE id = $1', values: [1], binary: true })),
  told(await client.query({ text: 'SELECT * FROM kinds ORDER BY id', rowMode: 'array' })),
]));

scenario('every type goes in and comes back', () => connected(async (client) => {
  const values = [['bool', true], ['int', -7], ['bigint', '9007199254740993'], ['numeric', '1.2300'], ['float8', 1.5], ['text', 'naïve ☃'],
    ['text', ''], ['text', null], ['bytea', Buffer.from([0, 255])], ['timestamptz', new Date(0)], ['jsonb', { a: [1, null] }],
    ['int[]', [1, null, 3]], ['text[]', ['a', 'b"c', null]], ['int[]', [[1, 2], [3, 4]]], ['uuid', '00112233-4455-6677-8899-aabbccddeeff'],
    ['mood', 'happy'], ['mood', 'glad'], ['place', '(7,here,"{sad}")'], ['percent', 101], ['int4range', '[1,5)']];
  const results = [];
  for (const [type, value] of values) {
    results.push(await attempt(client.query(`SELECT $1::${type} AS value, $1::${type}::text AS words`, [value]).then((result) => result.rows)));
  }
  return results;
}));

scenario('large values', () => connected(async (client) => {
  const big = '0123456789abcdef'.repeat(65536);
  const one = await client.query('SELECT $1::text AS value', [big]);
  const two = await client.query("SELECT repeat('z', 100) AS z FROM generate_series(1, 20000)");
  const three = await client.query(`SELECT length('${big}') AS length`);
  return [one.rows[0].value === big, two.rows.length, three.rows[0].length];
}));

scenario('prepared statements', () => connected(async (client) => {
  const results = [];
  const find = (id) => client.query({ name: 'find', text: 'SELECT name FROM items WHERE id = $1', values: [id] });
  for (const id of [1, 2, 3, 500]) results.push((await find(id)).rows);
  await client.query('BEGIN');
  results.push((await find(5)).rows);
  await client.query('COMMIT');
  results.push((await find(6)).rows);
  for (const turn of range(3)) {
    for (const number of range(100)) {
      const { rows } = await client.query({ name: `s${number}`, text: `SELECT $1::int + ${number} AS n`, values: [turn] });
      results.push(rows[0].n);
    }
  }
  results.push(await attempt(client.query({ name: 'find', text: 'SELECT something else', values: [] })));
  results.push(await attempt(client.query({ name: 'broken', text: 'SELECT nothing_there' })));
  results.push(await attempt(client.query({ name: 'broken', text: 'SELECT nothing_there' })));
  return results;
}));

scenario('a changed result type', () => connected(async (client) => {
  const results = [];
  const look = () => attempt(client.query({ name: 'look', text: 'SELECT * FROM shape' }).then(told));
  await client.query('CREATE TABLE shape (id int)');
  results.push(await look());
  await client.query("ALTER TABLE shape ADD words text DEFAULT 'new'");
  results.push(await look(), await look());
  await client.query('DEALLOCATE ALL');
  results.push(await look());
  await client.query('DROP TABLE shape');
  return results;
}));

scenario('transactions', () => connected(async (client) => {
  const results = [];
  await client.query('TRUNCATE log');
  await client.query('BEGIN ISOLATION LEVEL SERIALIZABLE');
  await client.query("INSERT INTO log (said) VALUES ('kept')");
  await client.query('SAVEPOINT a');
  results.push(await attempt(client.query('SELECT 1 / $1::int', [0])));
  results.push(await attempt(client.query('SELECT 1')));
  await client.query('ROLLBACK TO SAVEPOINT a');
  await client.query('RELEASE a');
  results.push(told(await client.query('COMMIT')), (await client.query('SELECT said FROM log')).rows);
  await client.query('BEGIN');
  await client.query('INSERT INTO parts VALUES (1, 999999)');
  results.push(await attempt(client.query('COMMIT')));
  return results;
}));

scenario('statements that queue up', () => connected(async (client) => {
  // The driver queues them; none waits for the caller.
  const queries = range(200).map((number) => attempt(client.query('SELECT 100 / ($1::int - 50) AS n', [number]).then((result) => result.rows[0].n)));
  return Promise.all(queries);
}));

scenario('cursors that read in parts', () => connected(async (client) => {
  const results = [];
  await client.query('BEGIN');
  const cursor = client.query(new Cursor('SELECT n FROM generate_series(1, $1::int) n', [100]));
  results.push(await cursor.read(3), await cursor.read(5));
  let count = 0;
  for (let rows = await cursor.read(7); rows.length > 0; rows = await cursor.read(7)) count += rows.length;
  results.push(count);
  await cursor.close();
  const left = client.query(new Cursor('SELECT n FROM generate_series(1, 100000) n'));
  results.push(await left.read(2));
  await left.close();
  const failing = client.query(new Cursor('SELECT 10 / (n - 5) AS n FROM generate_series(1, 10) n'));
  results.push(await failing.read(2), await attempt(failing.read(5)));
  await failing.close().catch(() => {});
  await client.query('ROLLBACK');
  // Without a transaction the portal lives until the next Sync.
  const bare = client.query(new Cursor('SELECT n FROM generate_series(1, 50) n'));
  results.push(await bare.read(2), (await bare.read(100)).length);
  await bare.close();
  results.push((await client.query("SELECT 'usable' AS word")).rows);
  return results;
}));

async function copyIn(client, text, query = 'COPY filled FROM STDIN') {
  const stream = client.query(copy.from(query));
  await pipeline(async function* chunks() { yield* text; }, stream);
  return stream.rowCount;
}

async function copyOut(client, query) {
  const chunks = [];
  await pipeline(client.query(copy.to(query)), new Writable({ write(chunk, _, done) { chunks.push(chunk); done(); } }));
  return Buffer.concat(chunks);
}

scenario('COPY', () => connected(async (client) => {
  const results = [];
  await client.query('TRUNCATE filled');
  results.push(await copyIn(client, range(1000).map((n) => `${n}\tword ${n}\t\\N\t${n}\n`)));
  results.push((await client.query('SELECT count(*), sum(id) FROM filled')).rows);
  const text = await copyOut(client, 'COPY (SELECT * FROM filled ORDER BY id) TO STDOUT');
  results.push(text.length, text.subarray(0, 40).toString());
  const binary = await copyOut(client, 'COPY (SELECT id, words FROM filled ORDER BY id) TO STDOUT (FORMAT binary)');
  results.push(binary.length, await copyIn(client, [binary], 'COPY filled (id, words) FROM STDIN (FORMAT binary)'));
  results.push(await attempt(copyIn(client, ['bad\n'])));
  results.push(await attempt(copyIn(client, ['bad\n', ...range(200).map(() => '1\tx\t\\N\t1\n'.repeat(1000))])));
  results.push(await attempt(copyOut(client, 'COPY (SELECT 1 / (n - 900) FROM generate_series(1, 1000) n) TO STDOUT').then((data) => data.length)));
  results.push(await attempt(copyIn(client, ['1\n'], 'COPY no_such_table FROM STDIN')));
  results.push((await client.query('SELECT count(*) FROM filled')).rows);
  return results;
}));

scenario('settings', async () => {
  const results = [];
  const shown = async (client) => (await client.query("SELECT current_setting('work_mem') AS memory, current_setting('application_name') AS name")).rows;
  await connected(async (client) => {
    results.push(await shown(client));
    await client.query("SET work_mem = '6MB'");
    results.push(await shown(client));
    await client.query('BEGIN');
    await client.query("SET LOCAL work_mem = '7MB'");
    results.push(await shown(client));
    await client.query('COMMIT');
    results.push(await shown(client));
  }, { application_name: 'of its own', options: '-c work_mem=5MB', statement_timeout: 60000 });
  await connected(async (client) => results.push(await shown(client)));
  return results;
});

scenario('errors', () => connected(async (client) => {
  const results = [];
  for (const [text, values] of [['SELECT nothing_there'], ['SELECT 1 / $1::int', [0]], ["INSERT INTO items VALUES (1, 'x', 1)"],
    ["INSERT INTO items VALUES (1001, 'x', -1)"], ['INSERT INTO items VALUES (1001, NULL, 1)'], ['SELECT fail($1, $2)', ['ZX123', 'of our own']],
    ['SELECT * FROM no_such_table'], ['SELECT $1'], ['SELECT 1 / (n - 5000) FROM generate_series(1, 6000) n'], ['SELEC'],
    ['SELECT $1::int', ['word']], ['SELECT $1::int + $2::int', [1]]]) {
    results.push(await attempt(client.query(text, values)));
  }
  results.push((await client.query("SELECT 'usable' AS word")).rows);
  return results;
}));

scenario('notices', () => connected(async (client) => {
  const heard = [];
  client.on('notice', (said) => heard.push([said.severity, said.code, said.message, said.detail, said.hint]));
  await client.query("SELECT say('simple')");
  await client.query('SELECT say($1)', ['extended']);
  await client.query('DROP TABLE IF EXISTS no_such_table');
  return heard;
}));

scenario('notifications', () => connected((listener) => connected(async (speaker) => {
  const results = [];
  await listener.query(`LISTEN ${schema}_n`);
  for (const words of ['one', 'two']) {
    const heard = once(listener, 'notification');
    await speaker.query('SELECT pg_notify($1, $2)', [`${schema}_n`, words]);
    const [message] = await heard;
    results.push([message.channel.replace(schema, ''), message.payload]);
  }
  return results;
})), { connections: 2 });

scenario('cancellation', () => connected(async (client) => {
  // The driver's own cancellation: a new connection that carries the key.
  const results = [];
  for (const _ of range(2)) {
    let ended = false;
    const sleeping = attempt(client.query('SELECT pg_sleep(600)')).finally(() => { ended = true; });
    while (!ended) {
      await new Promise((done) => { setTimeout(done, 100); });
      if (!ended) await cancel(client);
    }
    results.push(await sleeping);
    let quiet = 0;
    while (quiet < 5) {
      const answer = await attempt(client.query("SELECT 'usable' AS word FROM pg_sleep(0.02)").then((result) => result.rows[0].word));
      quiet = answer === 'usable' ? quiet + 1 : 0;
    }
    results.push('usable');
  }
  return results;
}));

function cancel(client) {
  const other = new Client();
  other.on('error', () => {});
  return new Promise((done) => {
    other.connection.once('connect', () => other.connection.cancel(client.processID, client.secretKey));
    other.connection.once('end', done);
    other.connection.once('error', () => {});
    other.connection.connect(Number(process.env.PGPORT), process.env.PGHOST);
  });
}

scenario('a pool of connections', async () => {
  const pool = new Pool({ max: 6, connectionTimeoutMillis: 120000 });
  pool.on('error', () => {});
  const answers = await Promise.all(range(60).map((number) => pool.query(`SELECT $1::int + count(*)::int AS n FROM ${schema}.items`, [number])));
  await pool.end();
  return answers.map((answer) => answer.rows[0].n);
});

scenario('refusals', async () => {
  const refused = async (options) => {
    const client = new Client(options);
    client.on('error', () => {});
    try {
      await client.connect();
      await client.end();
      return 'let in';
    } catch (error) {
      return error.code;
    }
  };
  return [await refused({ password: 'not the one' }), await refused({ database: 'no_such_database' }), await refused({ user: 'nobody_by_this_name' })];
});

run();
