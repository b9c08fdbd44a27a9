/** Packs the module as it would be published and puts it, unpacked, into an empty project that has only TypeScript. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
export const root = fileURLToPath(new URL('../..', import.meta.url));

const run = (command, args, cwd) => execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

/** @returns {{folder: string, files: string[], compile: () => string, start: (...args: string[]) => string[]}} */
export const installPacked = (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'token-client-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const packed = JSON.parse(run('npm', ['pack', '--json', '--pack-destination', folder], root));
  const [{ filename, files }] = Array.isArray(packed) ? packed : Object.values(packed);
  const target = join(folder, 'node_modules/@keyturn/token-client');
  mkdirSync(target, { recursive: true });
  run('tar', ['xzf', join(folder, filename), '--strip-components=1', '-C', target]);
  for (const name of ['main.ts', 'tsconfig.json']) cpSync(join(here, name), join(folder, name));
  for (const name of ['@types', 'undici-types']) symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name));
  writeFileSync(join(folder, 'package.json'), '{"type": "module", "private": true}');
  const compile = () => {
    try {
      return run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', '.'], folder);
    } catch ({ stdout, stderr }) {
      return stdout + stderr || 'tsc failed';
    }
  };
  const manifest = JSON.parse(readFileSync(join(target, 'package.json'), 'utf8'));
  return { folder, manifest, files: files.map(({ path }) => path).sort(), compile, start: (...args) => [join(folder, 'out/main.js'), ...args] };
};
