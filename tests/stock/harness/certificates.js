/** An authority and a certificate of `localhost` from it, in a folder. Node can read certificates but not make them, so `openssl` does. */
import { execFileSync } from 'node:child_process';
import { X509Certificate, createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const openssl = (folder, words) => execFileSync('openssl', words, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });

/** The files' paths in such a folder. */
export const certificatesIn = (folder) => ({
  authority: join(folder, 'authority.pem'),
  certificate: join(folder, 'localhost.pem'),
  key: join(folder, 'localhost.key'),
});

/** Makes them. */
export const makeCertificates = (folder) => {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl(folder, ['req', '-x509', ...key, '-subj', '/CN=authority of a test', '-days', '2', '-keyout', 'authority.key', '-out', 'authority.pem',
    '-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign,cRLSign']);
  openssl(folder, ['req', ...key, '-subj', '/CN=localhost', '-keyout', 'localhost.key', '-out', 'localhost.csr']);
  writeFileSync(join(folder, 'extensions'), 'subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n');
  openssl(folder, ['x509', '-req', '-in', 'localhost.csr', '-CA', 'authority.pem', '-CAkey', 'authority.key', '-CAcreateserial', '-days', '2',
    '-extfile', 'extensions', '-out', 'localhost.pem']);
  return certificatesIn(folder);
};

/** What `--ignore-certificate-errors-spki-list` wants: this one key is trusted, no other. */
export const spkiHash = (certificate) => {
  const { publicKey } = new X509Certificate(readFileSync(certificate));
  return createHash('sha256').update(publicKey.export({ type: 'spki', format: 'der' })).digest('base64');
};
