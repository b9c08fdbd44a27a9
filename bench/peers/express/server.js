// A route behind an HS256 bearer, with Express and jsonwebtoken; a process per core, as Express advises for production.
import cluster from 'node:cluster';
import { createSecretKey } from 'node:crypto';
import { availableParallelism } from 'node:os';
import express from 'express';
import jwt from 'jsonwebtoken';

const { PORT, JWT_SECRET, JWT_ISSUER: issuer, JWT_AUDIENCE: audience } = process.env;
const key = createSecretKey(Buffer.from(JWT_SECRET, 'base64url'));

function authenticate(req, res, next) {
  const token = /^Bearer +(\S+)$/i.exec(req.headers.authorization ?? '')?.[1];
  try {
    req.claims = jwt.verify(token, key, { algorithms: ['HS256'], issuer, audience });
  } catch (error) {
    return res.status(401).set('WWW-Authenticate', 'Bearer').send(error.message);
  }
  next();
}

if (cluster.isPrimary) {
  for (let n = 0; n < availableParallelism(); n++) cluster.fork();
  cluster.once('listening', () => console.log(`listening on 127.0.0.1:${PORT}`));
} else {
  const app = express();
  app.get('/api/home', authenticate, (req, res) => {
    res.type('text/plain').send(new Date().toISOString().slice(0, 10));
  });
  app.listen(PORT, '127.0.0.1');
}
