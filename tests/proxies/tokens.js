/** Access tokens that auth-server does not make: over, or with a name that no account can have. Signed under the ring's own key. */
import { createHmac, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** Signs `claims` over the usual ones of these services. */
export const sign = ({ folder, issuer, api }, claims) => {
  const { keys } = JSON.parse(readFileSync(join(folder, 'jwt-keys.json'), 'utf8'));
  const [{ kid, k }] = keys;
  const now = Math.floor(Date.now() / 1000);
  const usual = { iss: issuer, aud: api, sub: randomUUID(), sid: randomUUID(), jti: randomUUID(), iat: now, nbf: now, exp: now + 60, roles: [] };
  const signed = `${part({ alg: 'HS256', typ: 'JWT', kid })}.${part({ ...usual, ...claims })}`;
  return `${signed}.${createHmac('sha256', Buffer.from(k, 'base64url')).update(signed).digest('base64url')}`;
};
