// A token endpoint, with @node-oauth/oauth2-server in the wrapper for Express that it recommends; tokens live in SQLite.
// Log in with grant_type=password, then refresh with grant_type=refresh_token: each refresh token is good once.
import OAuthServer from '@node-oauth/express-oauth-server';
import Database from 'better-sqlite3';
import express from 'express';

const { PORT, DATABASE = 'oauth2.db' } = process.env;
const db = new Database(DATABASE);
db.pragma('journal_mode = WAL');
db.exec(`CREATE TABLE IF NOT EXISTS tokens (
  refresh_token TEXT PRIMARY KEY, refresh_expires INTEGER NOT NULL,
  access_token TEXT NOT NULL UNIQUE, access_expires INTEGER NOT NULL,
  client_id TEXT NOT NULL, user_id TEXT NOT NULL
) WITHOUT ROWID`);

const select = db.prepare('SELECT * FROM tokens WHERE refresh_token = ?');
const remove = db.prepare('DELETE FROM tokens WHERE refresh_token = ?');
const insert = db.prepare('INSERT INTO tokens VALUES (?, ?, ?, ?, ?, ?)');

// One client and one user, in memory: a server that people use looks both up.
const client = { id: 'demo', grants: ['password', 'refresh_token'] };
const user = { id: 'demo' };

const model = {
  async getClient(id) {
    return id === client.id && client;
  },
  async getUser(name, password) {
    return name === 'demo' && password === 'keyturn-demo' && user;
  },
  async saveToken(token, { id: clientId }, { id: userId }) {
    const { accessToken, accessTokenExpiresAt, refreshToken, refreshTokenExpiresAt } = token;
    insert.run(refreshToken, +refreshTokenExpiresAt, accessToken, +accessTokenExpiresAt, clientId, userId);
    return { ...token, client, user };
  },
  async getRefreshToken(refreshToken) {
    const row = select.get(refreshToken);
    return row && {
      refreshToken,
      refreshTokenExpiresAt: new Date(row.refresh_expires),
      client: { id: row.client_id },
      user: { id: row.user_id },
    };
  },
  async revokeToken({ refreshToken }) {
    return remove.run(refreshToken).changes === 1;
  },
};

const app = express();
const oauth = new OAuthServer({ model, requireClientAuthentication: { password: false, refresh_token: false } });
app.use(express.urlencoded({ extended: false }));
app.post('/token', oauth.token());
app.listen(PORT, '127.0.0.1', () => console.log(`listening on 127.0.0.1:${PORT}`));
