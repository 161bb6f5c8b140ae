// A client that stays: for each line that it reads it asks for a row, and prints it, or the SQLSTATE that it was told.
'use strict';

const readline = require('node:readline');
const { Client } = require('pg');

async function main() {
  const client = new Client({ connectionTimeoutMillis: 60000 });
  client.on('error', () => {});
  await client.connect();
  for await (const _ of readline.createInterface({ input: process.stdin })) {
    let told;
    try {
      told = (await client.query("SELECT 'right' AS word")).rows[0].word;
    } catch (error) {
      told = error.code || error.message;
    }
    process.stdout.write(`${told}\n`);
  }
  await client.end();
}

main();
