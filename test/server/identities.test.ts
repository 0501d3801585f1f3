/**
 * Each door is for one kind of credential: whatever is presented to another one, or looks like
 * another kind, is refused, and nobody becomes somebody by two ways at once.
 */

import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import {
  openCallerAuthentication,
  type CallerAuthentication,
  type Credential,
} from "../../src/app/server/caller-authentication.ts";
import { AuthnError, type AuthnErrorCode } from "../../src/core/identity/authn-error.ts";
import type { Caller } from "../../src/core/identity/caller.ts";
import { encodeJoinToken, joinTokenDigest } from "../../src/core/identity/join-token.ts";
import { SpiffeId } from "../../src/core/spiffe/id.ts";
import { DEV_ISSUER } from "../../src/edge/authn/dev-issuer.ts";
import type { JwksEvent } from "../../src/edge/authn/jwks.ts";
import { UsedTokens } from "../../src/edge/authn/used-tokens.ts";
import { createX5cToken } from "../../src/edge/authn/x5c-token.ts";
import { ConfigError } from "../../src/edge/config/config-error.ts";
import {
  loadServerConfig,
  type FlagTexts,
  type ServerConfig,
} from "../../src/edge/config/server-config.ts";
import { formatYaml } from "../../src/edge/config/yaml.ts";
import { PeerError, type Peer, type PeerErrorCode } from "../../src/edge/rpc/peer.ts";
import { Store } from "../../src/edge/store/store.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import {
  jwksDocument,
  kubernetesClaims,
  makeTokenKey,
  signToken,
  TEST_ISSUER,
  type TokenKey,
} from "../support/tokens.ts";
import { MachinePki } from "../support/x5c-pki.ts";

const nowMs = Math.ceil(Date.now() / 1000) * 1000 + 60_000;
const NOW = nowMs / 1000;
const FORGE = "https://forge.example";
const CLOUD = "https://cloud.example";

/** Every set calls its key the same. */
const clusterKey = makeTokenKey("ES256", "key-1");
const forgeKey = makeTokenKey("ES256", "key-1");
const cloudKey = makeTokenKey("ES256", "key-1");

const owned = new DisposableStack();
const directory = owned.use(temporaryDirectory()).path;
const pki = new MachinePki(directory);
const machine = pki.machine();
const meshRoot = new MachinePki(directory).root;
let store: Store;

before(async () => {
  store = owned.use(await Store.open(join(directory, "data"), "server"));
});
after(() => owned[Symbol.dispose]());

const keyFiles = Object.entries({ cluster: clusterKey, forge: forgeKey, cloud: cloudKey });
for (const [name, key] of keyFiles) {
  writeFileSync(join(directory, `${name}.json`), jwksDocument(key));
}
writeFileSync(join(directory, "roots.pem"), pki.root.certPem);

const identities = {
  oidc: [
    {
      issuer: FORGE,
      jwks: join(directory, "forge.json"),
      audiences: ["portcullis"],
      rules: [{ match: { repository: "acme/shop" }, spiffeId: "/ci/{owner}" }],
    },
    {
      issuer: CLOUD,
      jwks: join(directory, "cloud.json"),
      audiences: ["cloud-audience"],
      rules: [{ match: { repository: "acme/shop" }, spiffeId: "/cloud/{owner}" }],
    },
  ],
  x5c: [
    {
      name: "corp",
      roots: join(directory, "roots.pem"),
      audiences: ["portcullis"],
      rules: [{ match: { dns: "db-1.corp.example" }, spiffeId: "/vm/db-1" }],
    },
  ],
};

const CLUSTER = { "token-issuer": TEST_ISSUER, jwks: join(directory, "cluster.json") };

async function configOf(
  identities: object,
  renew: boolean,
  cluster: FlagTexts = CLUSTER,
): Promise<ServerConfig> {
  const configFile = join(directory, `${randomUUID()}.yaml`);
  writeFileSync(configFile, formatYaml({ identities }));
  const flags = {
    "data-dir": directory,
    ...cluster,
    ...(renew && { "renew-by-certificate": "true" }),
  };
  return await loadServerConfig({ flags, configFile });
}

async function open(
  what: object = identities,
  renew = true,
  maker: "server" | "dev" = "server",
  cluster: FlagTexts = CLUSTER,
  onEvent: (event: JwksEvent, issuer: string) => void = () => {},
): Promise<CallerAuthentication> {
  const others = {
    store,
    ownRoots: () => [meshRoot.der],
    isDistrusted: ({ root }: Peer) => root === leakedRoot,
    usedTokens: new UsedTokens(nowMs - 60_000),
    kube: undefined,
    nowMs: () => Date.now(),
  };
  const config = await configOf(what, renew, cluster);
  const { signal } = new AbortController();
  const authentication = await openCallerAuthentication(config, maker, onEvent, signal, others);
  // The first reads are under way, and whoever asks waits for them.
  for (const iss of [FORGE, CLOUD]) {
    assert.ok(codeOf(authentication, { token: signToken(forgeKey, { payload: { iss } }) }));
  }
  await authentication.refreshKeys();
  return authentication;
}

const clusterClaims = (changes: object = {}) =>
  kubernetesClaims({ iat: NOW, nbf: NOW, exp: NOW + 3600, ...changes });
const issuerClaims = (iss: string, aud: string, changes: object = {}) => ({
  iss,
  aud,
  sub: "repo:acme/shop",
  iat: NOW,
  exp: NOW + 300,
  repository: "acme/shop",
  owner: "acme",
  ...changes,
});
const clusterToken = (changes: object = {}, key: TokenKey = clusterKey): string =>
  signToken(key, { payload: clusterClaims(changes) });
const forgeToken = (changes: object = {}, key: TokenKey = forgeKey): string =>
  signToken(key, { payload: issuerClaims(FORGE, "portcullis", changes) });
const cloudToken = (changes: object = {}, key: TokenKey = cloudKey): string =>
  signToken(key, { payload: issuerClaims(CLOUD, "cloud-audience", changes) });
const machineToken = (): string => createX5cToken(machine, "portcullis", randomUUID(), nowMs);

function joinToken(path = "/vm/joined"): string {
  const token = encodeJoinToken(randomBytes(32));
  const id = SpiffeId.parse(`spiffe://cluster.local${path}`);
  const grant = { digest: joinTokenDigest(token), id, expiresAtMs: nowMs + 600_000 };
  store.joinTokens.add(grant, nowMs);
  return token;
}

const leakedRoot = Uint8Array.of(1);
let serials = 0;
function peerOf(changes: Partial<Peer> = {}): Peer {
  const id = SpiffeId.parse("spiffe://cluster.local/vm/renewed");
  const serialHex = `7f${(serials++).toString(16).padStart(4, "0")}`;
  return { id, serialHex, notAfterMs: nowMs + 86_400_000, root: meshRoot.der, ...changes };
}

function enrolledPeer(): Peer {
  const peer = peerOf();
  const joinTokenId = peer.serialHex;
  store.enrolments.add({ ...peer, joinTokenId, enrolledAtMs: nowMs - 86_400_000 });
  return peer;
}

type Code = AuthnErrorCode | PeerErrorCode;

function codeOf(authentication: CallerAuthentication, credential: Credential): Code | undefined {
  try {
    authentication.authenticateCredential(credential, nowMs);
    return undefined;
  } catch (error) {
    assert.ok(error instanceof AuthnError || error instanceof PeerError, String(error));
    return error.code;
  }
}

interface Kind {
  readonly make: () => Credential;
  readonly path: string;
  readonly method: Caller["evidence"]["method"];
}

const kinds: Readonly<Record<string, Kind>> = {
  cluster: {
    make: () => ({ token: clusterToken() }),
    path: "/ns/shop/sa/cart",
    method: "jwt",
  },
  forge: { make: () => ({ token: forgeToken() }), path: "/ci/acme", method: "oidc" },
  cloud: { make: () => ({ token: cloudToken() }), path: "/cloud/acme", method: "oidc" },
  x5c: { make: () => ({ token: machineToken() }), path: "/vm/db-1", method: "x5c" },
  "join-token": { make: () => ({ token: joinToken() }), path: "/vm/joined", method: "join-token" },
  certificate: {
    make: () => ({ peer: enrolledPeer() }),
    path: "/vm/renewed",
    method: "certificate",
  },
};

describe("a credential", () => {
  const [forge, cloud] = identities.oidc;
  /** What is configured, and which kinds that lets in; the cluster and its operator always do. */
  const servers: readonly (readonly [string, object, boolean, readonly string[], FlagTexts?])[] = [
    ["everything", identities, true, Object.keys(kinds)],
    ["nothing", {}, false, ["cluster", "join-token"]],
    ["one issuer", { oidc: [forge] }, false, ["cluster", "join-token", "forge"]],
    ["the other issuer", { oidc: [cloud] }, false, ["cluster", "join-token", "cloud"]],
    ["a PKI", { x5c: identities.x5c }, false, ["cluster", "join-token", "x5c"]],
    ["renewal", {}, true, ["cluster", "join-token", "certificate"]],
    ["everything but a cluster", identities, true, Object.keys(kinds).slice(1), {}],
    ["nothing, and no cluster", {}, false, ["join-token"], {}],
    ["one issuer, and no cluster", { oidc: [forge] }, false, ["join-token", "forge"], {}],
  ];
  for (const [what, configured, renew, lets, cluster] of servers) {
    test(`passes by the methods that are named where ${what} is configured`, async () => {
      using authentication = await open(configured, renew, "server", cluster);
      const methods = lets.map((name) => kinds[name]?.method);
      assert.deepEqual(new Set(authentication.methods), new Set(methods));
    });
    for (const [name, kind] of Object.entries(kinds)) {
      const passes = lets.includes(name);
      test(`${passes ? "passes" : "is refused"}: ${name} where ${what} is configured`, async () => {
        using authentication = await open(configured, renew, "server", cluster);
        const credential = kind.make();
        if (!passes) return assert.ok(codeOf(authentication, credential));
        const caller = authentication.authenticateCredential(credential, nowMs);
        assert.equal(caller.id.toString(), `spiffe://cluster.local${kind.path}`);
        assert.equal(caller.evidence.method, kind.method);
      });
    }
  }

  test("that counts once does not pass where tokens of issuers are asked for", async () => {
    using authentication = await open();
    for (const name of ["x5c", "join-token"] as const) {
      const { token = "" } = kinds[name]?.make() ?? {};
      assert.throws(() => authentication.authenticate(token, nowMs), AuthnError);
      // Nor was it used up there.
      assert.ok(authentication.authenticateCredential({ token }, nowMs));
      assert.ok(codeOf(authentication, { token }));
    }
  });
});

const [header = "", , signature = ""] = clusterToken().split(".");
const x5c = [Buffer.from(machine.node.der).toString("base64")];
const withHeader = (key: TokenKey, claims: object, more: object): string =>
  signToken(key, { header: { alg: "ES256", kid: "key-1", ...more }, payload: claims });
const twice = (first: string, second: string, key: TokenKey): string => {
  const rest = JSON.stringify(issuerClaims("", "portcullis", { iss: undefined })).slice(1);
  const payload = `{"iss":${JSON.stringify(first)},"iss":${JSON.stringify(second)},${rest}`;
  return signToken(key, { payload });
};

const CONFUSIONS: readonly (readonly [string, Code, () => Credential])[] = [
  [
    "an issuer's claims under the cluster's key of the same name",
    "token-signature",
    () => ({ token: forgeToken({}, clusterKey) }),
  ],
  [
    "the cluster's claims under an issuer's key of the same name",
    "token-signature",
    () => ({ token: clusterToken({}, forgeKey) }),
  ],
  [
    "one issuer's claims under the key of another",
    "token-signature",
    () => ({ token: forgeToken({}, cloudKey) }),
  ],
  [
    "an issuer's token for another's audience",
    "token-audience",
    () => ({ token: forgeToken({ aud: "cloud-audience" }) }),
  ],
  [
    "an issuer's token for the cluster's audience",
    "token-audience",
    () => ({ token: forgeToken({ aud: "istio-ca" }) }),
  ],
  [
    "a service account's token for an issuer's audience",
    "token-audience",
    () => ({ token: clusterToken({ aud: ["portcullis"] }) }),
  ],
  [
    "a service account by another issuer's word",
    "token-no-rule",
    () => ({
      token: signToken(forgeKey, {
        payload: clusterClaims({ iss: FORGE, aud: "portcullis" }),
      }),
    }),
  ],
  ["a list of issuers", "token-signature", () => ({ token: forgeToken({ iss: [FORGE] }) })],
  [
    "a list of issuers by the cluster",
    "token-claims",
    () => ({ token: clusterToken({ iss: [TEST_ISSUER, FORGE] }) }),
  ],
  [
    "an issuer nobody knows, by the cluster's key",
    "token-issuer",
    () => ({ token: clusterToken({ iss: "https://nobody" }) }),
  ],
  [
    "two issuers, the second an issuer's, by the cluster's key",
    "token-signature",
    () => ({ token: twice(TEST_ISSUER, FORGE, clusterKey) }),
  ],
  [
    "two issuers, the second the cluster's, by an issuer's key",
    "token-signature",
    () => ({ token: twice(FORGE, TEST_ISSUER, forgeKey) }),
  ],
  [
    "an issuer's token with a certificate in its header",
    "token-signature",
    () => ({ token: withHeader(forgeKey, issuerClaims(FORGE, "portcullis"), { x5c }) }),
  ],
  [
    "a service account's with a certificate in its header",
    "token-signature",
    () => ({ token: withHeader(clusterKey, clusterClaims(), { x5c }) }),
  ],
  [
    "a service account's with null for a certificate",
    "token-malformed",
    () => ({ token: withHeader(clusterKey, clusterClaims(), { x5c: null }) }),
  ],
  [
    "a certificate's token with an issuer in it",
    "token-signature",
    () => ({
      token: withHeader(forgeKey, { ...issuerClaims(FORGE, "portcullis"), jti: "1" }, { x5c }),
    }),
  ],
  [
    "a join token that nobody made",
    "join-token-unknown",
    () => ({ token: encodeJoinToken(randomBytes(32)) }),
  ],
  ["the name of join tokens alone", "join-token-unknown", () => ({ token: "portcullis-join-" })],
  [
    "a join token with something behind it",
    "join-token-unknown",
    () => ({ token: `${joinToken()}A` }),
  ],
  [
    "a service account's token behind the name of join tokens",
    "join-token-unknown",
    () => ({ token: `portcullis-join-${clusterToken()}` }),
  ],
  [
    "a join token in a JWS",
    "token-signature",
    () => ({ token: `${header}.${joinToken()}.${signature}` }),
  ],
  ["nothing", "token-missing", () => ({})],
  [
    "a certificate that did not come of a join token",
    "renewal-not-enrolled",
    () => ({ peer: peerOf() }),
  ],
  [
    "the enrolled serial in a certificate whose root was taken away since",
    "peer-distrusted",
    () => ({ peer: { ...enrolledPeer(), root: leakedRoot } }),
  ],
  [
    "the enrolled serial of another identity",
    "renewal-not-enrolled",
    () => ({
      peer: { ...enrolledPeer(), id: SpiffeId.parse("spiffe://cluster.local/vm/other") },
    }),
  ],
  [
    "the enrolled certificate of another trust domain",
    "renewal-not-enrolled",
    () => ({
      peer: { ...enrolledPeer(), id: SpiffeId.parse("spiffe://other.example/vm/renewed") },
    }),
  ],
  [
    "a certificate that has expired since the connection began",
    "renewal-certificate-expired",
    () => ({ peer: { ...enrolledPeer(), notAfterMs: nowMs } }),
  ],
  [
    "a bad token beside a good certificate",
    "token-malformed",
    () => ({ token: "garbage", peer: enrolledPeer() }),
  ],
  [
    "an empty token beside a good certificate",
    "token-malformed",
    () => ({ token: "", peer: enrolledPeer() }),
  ],
];

describe("nobody is believed for", () => {
  let authentication: CallerAuthentication;
  before(async () => {
    authentication = await open();
  });
  after(() => authentication[Symbol.dispose]());

  for (const [what, code, make] of CONFUSIONS) {
    test(`${what}: ${code}`, () => assert.equal(codeOf(authentication, make()), code));
  }

  test("an injection into a template", () => {
    for (const owner of ["", "..", ".", "a/b", "%2f", "a%2fb", "\u0430", "a".repeat(2048), 1]) {
      assert.equal(codeOf(authentication, { token: forgeToken({ owner }) }), "token-identity");
    }
  });
});

test("claims that would fit a rule make nobody else of a service account", async () => {
  using authentication = await open();
  const token = clusterToken({ repository: "acme/shop", owner: "acme" });
  const caller = authentication.authenticateCredential({ token }, nowMs);
  assert.equal(caller.id.path, "/ns/shop/sa/cart");
});

test("a token wins over a certificate, whose door it never opens", async () => {
  using authentication = await open();
  const credential = { token: clusterToken(), peer: enrolledPeer() };
  const caller = authentication.authenticateCredential(credential, nowMs);
  assert.equal(caller.evidence.method, "jwt");
});

test("a join token is good once, and what it got can be renewed for seven days", async () => {
  using authentication = await open();
  const token = joinToken();
  const joined = authentication.authenticateCredential({ token }, nowMs);
  assert.equal(codeOf(authentication, { token }), "join-token-unknown");
  let peer = peerOf({ id: joined.id, notAfterMs: nowMs + 8 * 86_400_000 });
  assert.equal(codeOf(authentication, { peer }), "renewal-not-enrolled");
  authentication.recordIssued(joined, peer);
  for (let day = 1; day < 7; day++) {
    const atMs = nowMs + day * 86_400_000;
    const caller = authentication.authenticateCredential({ peer }, atMs);
    assert.equal(caller.certificateNotAfterMs, nowMs + 7 * 86_400_000);
    // So that each renewal can be traced to its token.
    assert.ok(joined.evidence.method === "join-token" && caller.evidence.method === "certificate");
    assert.equal(caller.evidence.joinTokenId, joined.evidence.joinTokenId);
    peer = peerOf({ id: caller.id, notAfterMs: nowMs + 8 * 86_400_000 });
    authentication.recordIssued(caller, peer);
  }
  assert.throws(
    () => authentication.authenticateCredential({ peer }, nowMs + 7 * 86_400_000),
    (error) => error instanceof AuthnError && error.code === "renewal-over",
  );
});

test("a store that fails lets nobody in, and uses nobody up without saying so", async () => {
  const broken = await Store.open(join(directory, "broken"), "server");
  const others = {
    store: broken,
    ownRoots: () => [],
    isDistrusted: () => false,
    usedTokens: new UsedTokens(0),
    kube: undefined,
    nowMs: () => Date.now(),
  };
  const config = await configOf({}, true);
  const { signal } = new AbortController();
  using authentication = await openCallerAuthentication(config, "server", () => {}, signal, others);
  const joined = callerOf(await open(), joinToken());
  broken[Symbol.dispose]();
  const unavailable = "identities-unavailable";
  assert.equal(codeOf(authentication, { token: joinToken() }), unavailable);
  assert.equal(codeOf(authentication, { peer: peerOf() }), unavailable);
  assert.throws(
    () => authentication.recordIssued(joined, peerOf()),
    (error) => error instanceof AuthnError && error.code === unavailable,
  );
  authentication.prune(nowMs);
  assert.equal(codeOf(authentication, { token: clusterToken() }), undefined);
});

function callerOf(authentication: CallerAuthentication, token: string): Caller {
  using opened = authentication;
  return opened.authenticateCredential({ token }, nowMs);
}

test("says to whoever shows a certificate that renewal is off, and by which setting", async () => {
  using authentication = await open({}, false);
  assert.equal(codeOf(authentication, {}), "token-missing");
  const peer = enrolledPeer();
  assert.throws(
    () => authentication.authenticateCredential({ peer }, nowMs),
    (error) =>
      error instanceof AuthnError &&
      error.code === "renewal-off" &&
      error.message.includes("certificates.renewByCertificate"),
  );
});

const WITHOUT_CLUSTER: readonly (readonly [string, AuthnErrorCode, () => string])[] = [
  ["a service account's token", "token-issuer", clusterToken],
  ["a token of no issuer", "token-issuer", () => clusterToken({ iss: undefined })],
  ["garbage", "token-malformed", () => "garbage"],
  [
    "a certificate's token",
    "token-method",
    () => withHeader(forgeKey, issuerClaims("https://nobody", "portcullis"), { x5c }),
  ],
];

for (const [what, code, make] of WITHOUT_CLUSTER) {
  test(`without a cluster, ${what} is refused: ${code}`, async () => {
    for (const configured of [{}, { oidc: identities.oidc }]) {
      using authentication = await open(configured, false, "server", {});
      assert.equal(codeOf(authentication, { token: make() }), code);
      assert.throws(() => authentication.authenticate(make(), nowMs), AuthnError);
    }
  });
}

describe("a reload", () => {
  test("reads again the keys of no issuer that it does not change", async () => {
    const reads: string[] = [];
    using first = await open(identities, false, "server", CLUSTER, (_, issuer) =>
      reads.push(issuer),
    );
    assert.deepEqual(new Set(reads), new Set([TEST_ISSUER, FORGE, CLOUD]));
    const [forge, cloud] = identities.oidc;
    const rules = [{ match: { repository: "acme/shop" }, spiffeId: "/other/{owner}" }];
    const changes: readonly (readonly [object, FlagTexts])[] = [
      [identities, CLUSTER],
      [
        { ...identities, x5c: [] },
        { ...CLUSTER, audience: "other" },
      ],
      [{ oidc: [cloud, { ...forge, rules }] }, {}],
    ];
    for (const [what, cluster] of changes) {
      reads.length = 0;
      using next = await first.reopen(await configOf(what, false, cluster));
      assert.ok(next.authenticate(forgeToken(), nowMs));
      assert.ok(next.authenticate(cloudToken(), nowMs));
      assert.deepEqual(reads, []);
    }
    // What was disposed of has taken nothing from whoever goes on.
    for (const token of [clusterToken(), forgeToken(), cloudToken()]) {
      assert.ok(first.authenticate(token, nowMs));
    }
  });

  test("goes on with the keys of an issuer that is down at that moment", async () => {
    const path = join(directory, "moved.json");
    writeFileSync(path, jwksDocument(forgeKey));
    const [forge] = identities.oidc;
    const oidc = [{ ...forge, jwks: path }];
    const first = await open({ oidc }, false);
    rmSync(path);
    using next = await first.reopen(await configOf({ oidc, x5c: identities.x5c }, true));
    first[Symbol.dispose]();
    assert.equal(codeOf(next, { token: forgeToken() }), undefined);
    assert.equal(codeOf(next, { token: machineToken() }), undefined);
  });

  test("reads the keys of what is new or elsewhere, and judges by the new rules", async () => {
    const [forge] = identities.oidc;
    const read: string[] = [];
    using first = await open({ oidc: [forge] }, false, "server", {}, (_, issuer) =>
      read.push(issuer),
    );
    read.length = 0;
    const path = join(directory, "elsewhere.json");
    writeFileSync(path, jwksDocument(cloudKey));
    const rules = [{ match: { repository: "acme/shop" }, spiffeId: "/elsewhere" }];
    const oidc = [{ ...forge, jwks: path, rules }];
    using next = await first.reopen(await configOf({ oidc }, false));
    assert.equal(codeOf(next, { token: forgeToken({}, cloudKey) }), "keys-unavailable");
    assert.equal(await next.refreshKeys(), true);
    assert.deepEqual(read, [TEST_ISSUER, FORGE]);
    const caller = next.authenticate(forgeToken({}, cloudKey), nowMs);
    assert.equal(caller.id.path, "/elsewhere");
    assert.equal(codeOf(next, { token: forgeToken() }), "token-signature");
    assert.equal(codeOf(first, { token: forgeToken() }), undefined);
    assert.equal(codeOf(next, { token: clusterToken() }), undefined);
    assert.equal(codeOf(first, { token: clusterToken() }), "token-issuer");
  });

  test("that is refused changes nothing of what goes on", async () => {
    using first = await open();
    const [corp] = identities.x5c;
    const broken: readonly (readonly [object, FlagTexts])[] = [
      [{ x5c: [{ ...corp, roots: join(directory, "nowhere.pem") }] }, CLUSTER],
      [identities, { ...CLUSTER, jwks: join(directory, "nowhere.json") }],
    ];
    for (const [what, cluster] of broken) {
      await assert.rejects(first.reopen(await configOf(what, true, cluster)));
    }
    for (const { make } of Object.values(kinds)) assert.equal(codeOf(first, make()), undefined);
  });
});

test("whoever asks for keys that somebody else is reading gets that answer, too", async () => {
  using first = await open({}, false);
  using next = await first.reopen(await configOf({ oidc: identities.oidc }, false));
  for (const token of [forgeToken(), forgeToken()]) {
    assert.equal(codeOf(next, { token }), "keys-unavailable");
  }
  assert.deepEqual(await Promise.all([next.refreshKeys(), next.refreshKeys()]), [true, true]);
});

test("an issuer that is down keeps nobody out but its own", async (t) => {
  let isDown = true;
  const issuer = createServer((_, response) => {
    if (isDown) response.writeHead(503).end();
    else response.end(jwksDocument(forgeKey));
  }).listen(0, "127.0.0.1");
  t.after(() => issuer.close());
  await once(issuer, "listening");
  const jwks = `http://127.0.0.1:${(issuer.address() as AddressInfo).port}/`;
  const [forge] = identities.oidc;
  using authentication = await open({ oidc: [{ ...forge, jwks }] }, false);
  assert.equal(codeOf(authentication, { token: forgeToken() }), "keys-unavailable");
  assert.equal(codeOf(authentication, { token: clusterToken() }), undefined);
  isDown = false;
  // The least time from one read to the next.
  const real = performance.now.bind(performance);
  t.mock.method(performance, "now", () => real() + 60_000);
  assert.equal(await authentication.refreshKeys(), true);
  assert.equal(codeOf(authentication, { token: forgeToken() }), undefined);
});

describe("a server does not start with", () => {
  const file = (name: string, text: string): string => {
    mkdirSync(join(directory, "files"), { recursive: true });
    const path = join(directory, "files", name);
    writeFileSync(path, text);
    return path;
  };
  const [forge] = identities.oidc;
  const [corp] = identities.x5c;
  const pkiWith = (roots: string): object => ({ x5c: [{ ...corp, roots }] });
  const table: readonly (readonly [string, ConfigError["code"], string, () => object])[] = [
    [
      "dev's issuer",
      "config-conflict",
      "oidc.0.issuer",
      () => ({ oidc: [{ ...forge, issuer: DEV_ISSUER }] }),
    ],
    [
      "keys over plain http",
      "config-invalid-value",
      "oidc.0.jwks",
      () => ({ oidc: [{ ...forge, jwks: "http://ci.example/jwks" }] }),
    ],
    [
      "the mesh's own root",
      "config-conflict",
      "x5c.0.roots",
      () => pkiWith(file("own.pem", pki.root.certPem + meshRoot.certPem)),
    ],
    [
      "one root in two PKIs",
      "config-conflict",
      "x5c.1.roots",
      () => ({ x5c: [corp, { ...corp, name: "again" }] }),
    ],
    ["no roots", "config-invalid-value", "x5c.0.roots", () => pkiWith(file("empty.pem", ""))],
    [
      "roots that are not there",
      "config-invalid-value",
      "x5c.0.roots",
      () => pkiWith(join(directory, "nowhere.pem")),
    ],
    [
      "a key among roots",
      "config-invalid-value",
      "x5c.0.roots",
      () => pkiWith(file("key.pem", pki.root.certPem + pki.root.keyPem)),
    ],
    [
      "a leaf for a root",
      "config-invalid-value",
      "x5c.0.roots",
      () => pkiWith(file("leaf.pem", machine.node.certPem)),
    ],
  ];
  for (const [what, code, path, make] of table) {
    test(`${what}: ${code}`, async () => {
      await assert.rejects(open(make()), (error) => {
        assert.ok(error instanceof ConfigError, String(error));
        assert.equal(error.code, code);
        assert.ok(error.path.endsWith(`: identities.${path}`), error.path);
        return true;
      });
    });
  }
});
