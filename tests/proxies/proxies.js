/** Each proxy as its operator starts it: a process with a folder of its own and the very file of docs/proxy, the addresses filled in. */
import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePort } from '../stock/harness/services.js';

const docs = process.env.PROXIES_FOLDER ?? fileURLToPath(new URL('../../docs/proxy', import.meta.url));
const page = (name) => readFileSync(join(docs, name), 'utf8');

/** Replaces words of a file, each of which must be in it. */
const filled = (text, words) => {
  let out = text;
  for (const [word, value] of Object.entries(words)) {
    if (!out.includes(word)) throw new Error(`${word} is not in the file`);
    out = out.replaceAll(word, value);
  }
  return out;
};

/** Envoy writes addresses in two parts. */
const envoyPorts = (ports) => Object.fromEntries(Object.entries(ports).map(([from, to]) => [`port_value: ${from}`, `port_value: ${to}`]));
const addresses = (ports) => Object.fromEntries(Object.entries(ports).map(([from, to]) => [`127.0.0.1:${from}`, `127.0.0.1:${to}`]));

const envoy = (folder, config) => {
  writeFileSync(join(folder, 'envoy.yaml'), config);
  // Two of them at once share no memory.
  return [process.env.ENVOY, ['-c', join(folder, 'envoy.yaml'), '--disable-hot-restart', '--concurrency', '1', '--log-level', 'warn']];
};

/** By name: writes the files into the folder, and says what to start. */
const programs = {
  nginx(folder, { proxy, verify, application }) {
    writeFileSync(join(folder, 'keyturn.conf'), filled(page('nginx.conf'), addresses({ 8080: proxy, 5001: verify, 3000: application })));
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((it) => `${it}_temp_path ${folder}/${it};`);
    writeFileSync(
      join(folder, 'nginx.conf'),
      `daemon off; worker_processes 1; pid ${folder}/pid; error_log stderr;
       ${process.getuid() === 0 ? 'user www-data;' : ''}
       events {} http { access_log off; ${temporary.join(' ')} include ${folder}/keyturn.conf; }`,
    );
    return ['/usr/sbin/nginx', ['-p', folder, '-c', join(folder, 'nginx.conf')]];
  },
  caddy(folder, { proxy, verify, application }) {
    const own = '{\n\tadmin off\n}\n';
    writeFileSync(join(folder, 'Caddyfile'), own + filled(page('Caddyfile'), { 'http://:8080': `http://:${proxy}`, ...addresses({ 5001: verify, 3000: application }) }));
    return ['/usr/bin/caddy', ['run', '--adapter', 'caddyfile', '--config', join(folder, 'Caddyfile')]];
  },
  haproxy(folder, { proxy, verify, application }) {
    writeFileSync(join(folder, 'verify.lua'), page('verify.lua'));
    const config = filled(page('haproxy.cfg'), { '/etc/haproxy/verify.lua': join(folder, 'verify.lua'), ...addresses({ 8080: proxy, 5001: verify, 3000: application }) });
    writeFileSync(join(folder, 'haproxy.cfg'), config);
    return ['/usr/sbin/haproxy', ['-db', '-f', join(folder, 'haproxy.cfg')]];
  },
  'envoy ext_authz'(folder, { proxy, verify, application }) {
    return envoy(folder, filled(page('envoy-ext-authz.yaml'), envoyPorts({ 8080: proxy, 5001: verify, 3000: application })));
  },
  'envoy jwt_authn'(folder, { proxy, application, issuer, audience, ring }) {
    const own = { 'issuer: http://localhost:5000': `issuer: ${issuer}`, 'audiences: [http://localhost:5001]': `audiences: ["${audience}"]`, 'data/shared/jwt-keys.json': ring };
    return envoy(folder, filled(page('envoy-jwt-authn.yaml'), { ...own, ...envoyPorts({ 8080: proxy, 3000: application }) }));
  },
};

const answers = (port) =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.end());
  });

/**
 * Starts a proxy and waits until it listens.
 *
 * @param {string} name one of `programs`
 * @param {{verify?: number, application: number, issuer?: string, audience?: string, ring?: string}} peers ports and, where it judges by itself, what it needs for that
 * @returns {Promise<{port: number, close: () => Promise<void>}>}
 */
export const startProxy = async (name, peers) => {
  const folder = mkdtempSync(join(tmpdir(), 'keyturn-proxy-'));
  // Root's nginx works as another user.
  chmodSync(folder, 0o755);
  const port = await freePort();
  const [program, words] = programs[name](folder, { proxy: port, ...peers });
  const env = { PATH: process.env.PATH, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder };
  const child = spawn(program, words, { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (text) => {
      said += text;
      if (process.env.PROXIES_LOG) process.stderr.write(text);
    });
  }
  let failed;
  child.once('error', (error) => (failed = error));
  const ended = new Promise((resolve) => child.once('close', resolve));
  const close = async () => {
    child.kill();
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  for (const until = Date.now() + 20_000; !(await answers(port)); await pause(20)) {
    if (failed || child.exitCode !== null || Date.now() > until) {
      await close();
      throw new Error(`${name} does not start: ${failed ?? ''}\n${said}`);
    }
  }
  return { port, close };
};
