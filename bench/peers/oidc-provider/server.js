// A token endpoint, with oidc-provider; everything is in memory. POST /login, without a body, begins a session and
// answers with its first refresh token: it stands for the log-in in a browser, and checks nobody.
import { generateKeyPairSync } from 'node:crypto';
import { Provider } from 'oidc-provider';
import { MemoryAdapter } from './memory.js';

const { PORT } = process.env;
const clientId = 'demo';
const scope = 'offline_access';
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });

const provider = new Provider(`http://127.0.0.1:${PORT}`, {
  adapter: MemoryAdapter,
  clients: [{
    client_id: clientId,
    // A public client, as a page in a browser is: its refresh tokens are rotated at every use, by default.
    token_endpoint_auth_method: 'none',
    grant_types: ['authorization_code', 'refresh_token'],
    redirect_uris: ['https://client.example/callback'],
  }],
  findAccount: (ctx, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), use: 'sig' }] },
  cookies: { keys: ['unused: no browser comes here'] },
  features: { devInteractions: { enabled: false } },
  interactions: { url: () => '/no-browser-comes-here' },
  ttl: { AccessToken: 3600, Grant: 14 * 86400, RefreshToken: 14 * 86400 },
});

async function logIn() {
  const grant = new provider.Grant({ accountId: 'demo', clientId });
  grant.addOIDCScope(scope);
  const grantId = await grant.save();
  const client = await provider.Client.find(clientId);
  const token = new provider.RefreshToken({ accountId: 'demo', client, grantId, gty: 'authorization_code', scope });
  return token.save();
}

provider.use(async (ctx, next) => {
  if (ctx.method !== 'POST' || ctx.path !== '/login') return next();
  ctx.body = { refresh_token: await logIn() };
});

provider.listen(PORT, '127.0.0.1', () => console.log(`listening on 127.0.0.1:${PORT}`));
