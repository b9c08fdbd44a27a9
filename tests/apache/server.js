/** An Apache of its own: a folder, two ports, and mod_auth_openidc as its documentation configures it. */
import { spawn } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { certificates, isHttps, scheme } from '../stock/harness/services.js';

const MODULES = ['mpm_event', 'authn_core', 'authz_core', 'authz_user', 'dir', 'mime', 'include', 'alias', 'auth_openidc', ...(isHttps ? ['socache_shmcb', 'ssl'] : [])];

/** One protected site: at `/secure`, and at `/secure/renewed` with a refresh before every request. */
const site = ({ port, issuer, client, secret, directives }, root) => `
Listen 127.0.0.1:${port}
<VirtualHost 127.0.0.1:${port}>
  ServerName 127.0.0.1
  DocumentRoot "${root}/site"
  OIDCProviderMetadataURL ${issuer}/.well-known/openid-configuration
  OIDCClientID ${client}
  OIDCClientSecret ${secret}
  OIDCRedirectURI ${scheme}://127.0.0.1:${port}/secure/redirect_uri
  OIDCCryptoPassphrase "a passphrase of a test"
  OIDCScope "openid profile email"
  OIDCRemoteUserClaim email
  OIDCPKCEMethod S256
  OIDCPassRefreshToken On
  ${isHttps ? `OIDCCABundlePath ${root}/authority.pem` : ''}
  ${isHttps ? `SSLEngine on\n  SSLCertificateFile ${certificates.certificate}\n  SSLCertificateKeyFile ${certificates.key}` : ''}
  ${directives.join('\n  ')}
  <Location /secure>
    AuthType openid-connect
    Require valid-user
  </Location>
  <Location /secure/renewed>
    OIDCRefreshAccessTokenBeforeExpiry 3600 logout_on_error
  </Location>
</VirtualHost>
`;

const reachable = (port) =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.end());
  });

/** Starts it with these sites. */
export const startApache = async (sites) => {
  const root = mkdtempSync(join(tmpdir(), 'keyturn-apache-'));
  // Root's Apache works as another user.
  chmodSync(root, 0o755);
  if (isHttps) copyFileSync(certificates.authority, join(root, 'authority.pem'));
  const pages = ['site/secure', 'site/secure/renewed', 'site/goodbye'].map((path) => join(root, path));
  for (const path of pages) mkdirSync(path, { recursive: true });
  for (const path of pages.slice(0, 2)) writeFileSync(join(path, 'index.shtml'), '<!doctype html><title>env</title><pre>\n\n<!--#printenv --></pre>');
  writeFileSync(join(pages[2], 'index.shtml'), '<!doctype html><title>Goodbye</title><p>Goodbye.</p>');
  const config = `
ServerRoot "${root}"
ServerName 127.0.0.1
PidFile "${root}/apache.pid"
DefaultRuntimeDir "${root}"
ErrorLog "${root}/error.log"
LogLevel warn
${MODULES.map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`).join('\n')}
TypesConfig /dev/null
AddType text/html .shtml
AddOutputFilter INCLUDES .shtml
DirectoryIndex index.shtml
StartServers 1
${process.getuid() === 0 ? 'User www-data\nGroup www-data' : ''}
<Directory "${root}/site">
  Options +Includes
  Require all granted
</Directory>
${sites.map((it) => site(it, root)).join('')}`;
  writeFileSync(join(root, 'apache.conf'), config);
  const child = spawn('/usr/sbin/apache2', ['-d', root, '-f', join(root, 'apache.conf'), '-D', 'FOREGROUND'], { stdio: ['ignore', 'inherit', 'inherit'] });
  const log = () => {
    try {
      return readFileSync(join(root, 'error.log'), 'utf8');
    } catch {
      return '';
    }
  };
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const until = Date.now() + 20_000;
  while (!(await reachable(sites[0].port))) {
    if (child.exitCode !== null || Date.now() > until) {
      child.kill();
      throw new Error(`Apache does not start:\n${log()}`);
    }
  }
  return {
    log,
    async close() {
      child.kill();
      await ended;
      rmSync(root, { recursive: true, force: true });
    },
  };
};
