/**
 * Runs the tests twice: over http on loopback, and over https with an authority of its own. Node reads
 * NODE_EXTRA_CA_CERTS at its start alone, so each run is a process.
 *
 *   npm test                          everything
 *   npm test -- FILE… [--only-http]   some files
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeCertificates } from './harness/certificates.js';

const here = import.meta.dirname;
const words = process.argv.slice(2);
const named = words.filter((word) => !word.startsWith('--'));
const files = named.length ? named : readdirSync(here).filter((name) => name.endsWith('.test.js')).map((name) => join(here, name));
const folder = mkdtempSync(join(tmpdir(), 'keyturn-stock-'));

const run = (env) =>
  // One after the other: each has services of its own, and one of them Chromium.
  spawnSync(process.execPath, ['--test', '--test-concurrency=1', '--test-timeout=120000', ...files], { stdio: 'inherit', env: { ...process.env, ...env } }).status ?? 1;

let code;
try {
  code = run({ STOCK_SCHEME: 'http' });
  if (!words.includes('--only-http')) {
    const { authority } = makeCertificates(folder);
    code = run({ STOCK_SCHEME: 'https', STOCK_CERTIFICATES: folder, NODE_EXTRA_CA_CERTS: authority }) || code;
  }
} finally {
  rmSync(folder, { recursive: true });
}
process.exitCode = code;
