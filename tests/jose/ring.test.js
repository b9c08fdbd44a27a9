// Reads the key ring with `jose`, which knows nothing of Keyturn: RFC 7517 and 7519 are all that the two share.
//
// The programs come from KEYTURN_PROGRAMS or target/debug; `cargo build -p auth-server` makes them.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { SignJWT, decodeProtectedHeader, importJWK, jwtVerify } from "jose";

const programs =
  process.env.KEYTURN_PROGRAMS ?? fileURLToPath(new URL("../../target/debug", import.meta.url));
const program = join(programs, "auth-server");
const folder = mkdtempSync(join(tmpdir(), "keyturn-jose-"));
const path = join(folder, "jwt-keys.json");
const flags = [
  `--jwt-keys-file=${path}`,
  `--refresh-keys-file=${join(folder, "refresh-keys.json")}`,
  `--database-url=sqlite://${join(folder, "keyturn.db")}`,
];
const expected = { issuer: "http://localhost:5000", audience: "http://localhost:5001" };
const env = { PATH: process.env.PATH };

let service;
let url;

const keys = (...words) => execFileSync(program, ["keys", ...words, ...flags], { env, encoding: "utf8" });
const ring = () => JSON.parse(readFileSync(path, "utf8"));

/** What any reader of a JWK Set does: `keys`, and in it the key that the header names. */
async function verify(token) {
  const find = ({ kid, alg }) => {
    const key = ring().keys.find((key) => key.kid === kid && key.alg === alg && key.kty === "oct");
    assert.ok(key, `no key ${kid}`);
    return importJWK(key);
  };
  return jwtVerify(token, find, { ...expected, algorithms: ["HS256"] });
}

/** A token under any key of the file, those of `former` included: what an old client may still have. */
async function signedBy(key) {
  const token = new SignJWT({ sub: "user-1" })
    .setProtectedHeader({ alg: "HS256", typ: "JWT", kid: key.kid })
    .setIssuer(expected.issuer)
    .setAudience(expected.audience)
    .setExpirationTime("5m");
  return token.sign(await importJWK(key, "HS256"));
}

/** Lets everything in the ring lie further back. */
function age(seconds) {
  const all = ring();
  for (const key of [...all.keys, ...(all.former ?? [])]) {
    for (const time of ["sign_from", "verify_until", "since"]) {
      if (key[time] !== undefined) key[time] -= seconds;
    }
  }
  writeFileSync(path, JSON.stringify(all));
}

async function post(name, body) {
  const answer = await fetch(`${url}/api/account/${name}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  assert.ok(answer.ok, `${name}: ${answer.status}`);
  return answer.json();
}

before(async () => {
  keys("init");
  service = spawn(program, ["--listen=127.0.0.1:0", "--registration=open", ...flags], {
    env: { ...env, RUST_LOG: "info" },
    stdio: ["ignore", "ignore", "pipe"],
  });
  for await (const line of createInterface({ input: service.stderr })) {
    const found = / listens on (\S+)/.exec(line);
    if (found) {
      url = `http://${found[1]}`;
      break;
    }
  }
  assert.ok(url, "auth-server listens");
  service.stderr.resume();
});

after(() => {
  service?.kill();
  rmSync(folder, { recursive: true });
});

test("a token of auth-server is good for jose, and says what the contract says", async () => {
  const account = { email: "ada@example.com", password: "correct horse battery" };
  const user = await post("register", { userName: "Ada", ...account });
  const { accessToken } = await post("login", account);
  const { payload, protectedHeader } = await verify(accessToken);
  assert.equal(protectedHeader.typ, "JWT");
  assert.equal(protectedHeader.kid, ring().keys[0].kid);
  assert.equal(payload.sub, user.id);
  assert.equal(payload.email, account.email);
});

test("active, staged and retiring keys verify; retired and revoked ones do not", async () => {
  const retired = ring().keys[0];
  keys("rotate", "--in", "0s");
  age(2 * 86_400);
  const revoked = ring().keys.at(-1);
  keys("revoke", revoked.kid);
  const retiring = ring().keys.at(-1);
  // Each rotation lies a while back, or all keys would begin in the same second.
  age(60);
  keys("rotate", "--in", "0s");
  age(60);
  keys("rotate", "--in", "1h");

  const status = keys("status");
  const state = ({ kid }) => status.split("\n").find((line) => line.includes(kid)).trim().split(/\s+/)[1];
  const good = ring().keys;
  assert.deepEqual(good.map(state).sort(), ["active", "retiring", "staged"], status);
  assert.equal(state(retiring), "retiring");
  for (const key of good) {
    assert.equal((await verify(await signedBy(key))).payload.sub, "user-1", state(key));
  }

  const former = ring().former;
  assert.deepEqual(former.map((key) => [key.kid, state(key)]).sort(), [
    [retired.kid, "retired"],
    [revoked.kid, "revoked"],
  ].sort(), status);
  for (const key of former) {
    const token = await signedBy(key);
    await assert.rejects(verify(token), /no key/, state(key));
    // Nor does it help to name another key.
    for (const other of good) {
      const key = await importJWK(other, "HS256");
      await assert.rejects(jwtVerify(token, key, expected), { code: "ERR_JWS_SIGNATURE_VERIFICATION_FAILED" });
    }
  }
});

test("an imported secret signs tokens that whoever knows it verifies", async () => {
  const secret = "an old application's own secret, which its Node server knows";
  const words = ["keys", "import", "--kid", "legacy", "--form", "utf8", ...flags];
  execFileSync(program, words, { env, input: `${secret}\n` });
  // The service looks at the ring ten times a second.
  const until = Date.now() + 10_000;
  let accessToken;
  do {
    assert.ok(Date.now() < until, "the service signs with the new key");
    ({ accessToken } = await post("login", { email: "ada@example.com", password: "correct horse battery" }));
  } while (decodeProtectedHeader(accessToken).kid !== "legacy");
  await jwtVerify(accessToken, new TextEncoder().encode(secret), expected);
  await verify(accessToken);
});
