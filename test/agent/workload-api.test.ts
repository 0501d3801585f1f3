/** The SPIFFE Workload API of a sidecar's agent, beside a real control plane: rules WL and JW by what they answer. */

import { create, fromBinary, toBinary, type DescMethod } from "@bufbuild/protobuf";
import { Client, credentials, Metadata, status, type ServiceError } from "@grpc/grpc-js";
import assert from "node:assert/strict";
import { createPrivateKey, randomBytes, X509Certificate } from "node:crypto";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { parseBundleDocument } from "../../src/core/spiffe/bundle-document.ts";
import { methodDefinition } from "../../src/edge/rpc/service-definition.ts";
import { SpiffeWorkloadAPI } from "../../src/gen/spiffe/workload/workload_pb.ts";
import { TestAgent } from "../support/agent.ts";
import {
  eventually,
  mint,
  startControlPlane,
  type TestControlPlane,
} from "../support/control-plane.ts";
import { runVerb } from "../support/mesh-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const spiffeId = "spiffe://cluster.local/ns/shop/sa/cart";
const { fetchX509SVID, fetchX509Bundles, fetchJWTSVID, fetchJWTBundles, validateJWTSVID } =
  SpiffeWorkloadAPI.method;
const all = [fetchX509SVID, fetchX509Bundles, fetchJWTSVID, fetchJWTBundles, validateJWTSVID];

type Init = Readonly<Record<string, unknown>>;

interface Answer {
  readonly code: number;
  readonly details: string;
  readonly messages: readonly never[];
}

function securityHeader(...values: readonly string[]): Metadata {
  const metadata = new Metadata();
  for (const value of values) metadata.add("workload.spiffe.io", value);
  return metadata;
}

/** @param wanted messages, after which it hangs up */
async function call(
  socket: string,
  method: DescMethod,
  init: Init | Uint8Array = {},
  metadata: Metadata = securityHeader("true"),
  wanted = 1,
): Promise<Answer> {
  const { path } = methodDefinition(SpiffeWorkloadAPI, method);
  const client = new Client(`unix:${socket}`, credentials.createInsecure(), {
    "grpc.use_local_subchannel_pool": 1,
  });
  const bytes =
    init instanceof Uint8Array ? init : toBinary(method.input, create(method.input, init as never));
  const messages: never[] = [];
  try {
    return await new Promise((resolve) => {
      const stream = client.makeServerStreamRequest(
        path,
        (message: Uint8Array) => Buffer.from(message),
        (reply: Buffer) => fromBinary(method.output, reply) as never,
        bytes,
        metadata,
      );
      stream.on("data", (message: never) => {
        messages.push(message);
        if (messages.length === wanted) resolve({ code: status.OK, details: "", messages });
      });
      stream.on("error", ({ code, details }: ServiceError) => resolve({ code, details, messages }));
      stream.on("end", () => resolve({ code: status.OK, details: "", messages }));
    });
  } finally {
    client.close();
  }
}

describe("the Workload API", () => {
  const directory = temporaryDirectory();
  let ca: TestControlPlane;
  let agent: TestAgent;
  let socket: string;
  before(async () => {
    ca = await startControlPlane();
    agent = await TestAgent.start({
      directory: directory.path,
      server: ca.address,
      serverRoot: ca.rootPem,
      token: mint(),
    });
    socket = agent.socketPath;
    await agent.until("certificate-received", ([first]) => first !== undefined);
    // The keys for JWTs come with the mesh stream's first bundle.
    await eventually(async () => {
      const { messages } = await call(socket, fetchJWTBundles);
      return JSON.stringify(messages).length > 0 && keysOf(messages[0]).length > 0;
    });
  });
  after(async () => {
    await agent[Symbol.asyncDispose]();
    await ca[Symbol.asyncDispose]();
    directory[Symbol.dispose]();
  });

  const keysOf = (
    message: { readonly bundles: Readonly<Record<string, Uint8Array>> } | undefined,
  ) => {
    const document = message?.bundles["spiffe://cluster.local"] ?? Buffer.from('{"keys":[]}');
    return (JSON.parse(Buffer.from(document).toString()) as { keys: { kid: string }[] }).keys;
  };

  const headers: readonly (readonly [string, Metadata])[] = [
    ["without the security header", new Metadata()],
    ["with True in it", securityHeader("True")],
    ["with an empty one", securityHeader("")],
    ["with two", securityHeader("true", "true")],
  ];
  for (const [title, metadata] of headers) {
    test(`refuses each method ${title} as InvalidArgument (WL-2)`, async () => {
      for (const method of all) {
        const { code } = await call(socket, method, {}, metadata);
        assert.equal(code, status.INVALID_ARGUMENT, method.name);
      }
    });
  }

  test("gives one SVID, its key and the bundle in DER, at once (WL-9, WL-10)", async () => {
    const { messages } = await call(socket, fetchX509SVID);
    const [svid, ...others] = (messages[0] as never as { svids: Svid[] }).svids;
    assert.ok(svid !== undefined && others.length === 0);
    assert.equal(svid.spiffeId, spiffeId);
    assert.equal(svid.hint, "");
    const leaf = new X509Certificate(Buffer.from(svid.x509Svid));
    const key = { key: Buffer.from(svid.x509SvidKey), format: "der", type: "pkcs8" } as const;
    assert.ok(leaf.checkPrivateKey(createPrivateKey(key)));
    const root = new X509Certificate(Buffer.from(svid.bundle));
    assert.equal(root.toString(), ca.rootPem);
    assert.ok(leaf.verify(root.publicKey));
  });

  test("gives the bundles of its own trust domain, X.509 and JWT (WL-12, JW-5)", async () => {
    const x509 = await call(socket, fetchX509Bundles);
    const { bundles } = x509.messages[0] as never as { bundles: Record<string, Uint8Array> };
    assert.deepEqual(Object.keys(bundles), ["spiffe://cluster.local"]);
    const jwt = await call(socket, fetchJWTBundles);
    const keys = keysOf(jwt.messages[0]);
    assert.equal(keys.length, 1);
    assert.ok(keys.every(({ kid }) => kid.length > 0));
    const document = { keys: keys.map((key) => ({ ...key, use: "jwt-svid" })) };
    assert.equal(parseBundleDocument(JSON.stringify(document)).jwtKeys.length, 1);
  });

  test("gives a JWT-SVID for the audiences that were asked for, and validates it (JW-1..4)", async () => {
    const { svid, whose } = await jwtSvid({ audience: ["db", "cache"] });
    assert.equal(whose, spiffeId);
    const [header, claims] = svid
      .split(".")
      .map((part) => Buffer.from(part, "base64url").toString());
    assert.deepEqual(Object.keys(JSON.parse(header ?? "") as object).toSorted(), [
      "alg",
      "kid",
      "typ",
    ]);
    const { sub, aud } = JSON.parse(claims ?? "") as { sub: string; aud: string[] };
    assert.deepEqual([sub, aud], [spiffeId, ["cache", "db"]]);
    const { messages } = await call(socket, validateJWTSVID, { audience: "db", svid });
    const validated = messages[0] as never as { spiffeId: string; claims: { sub: string } };
    assert.deepEqual([validated.spiffeId, validated.claims.sub], [spiffeId, spiffeId]);
  });

  test("keeps a JWT-SVID for whoever asks for the same audiences in its first half of life", async () => {
    const first = await jwtSvid({ audience: ["kept", "twice"] });
    const again = await jwtSvid({ audience: ["twice", "kept", "kept"] });
    const other = await jwtSvid({ audience: ["kept"] });
    assert.equal(again.svid, first.svid);
    assert.notEqual(other.svid, first.svid);
    const many = await Promise.all(
      Array.from({ length: 20 }, () => jwtSvid({ audience: ["herd"] })),
    );
    assert.equal(new Set(many.map(({ svid }) => svid)).size, 1);
  });

  async function jwtSvid(
    request: Init,
  ): Promise<{ readonly svid: string; readonly whose: string }> {
    const { code, details, messages } = await call(socket, fetchJWTSVID, request);
    assert.equal(code, status.OK, details);
    const [first] = (messages[0] as never as { svids: { svid: string; spiffeId: string }[] }).svids;
    return { svid: first?.svid ?? "", whose: first?.spiffeId ?? "" };
  }

  const refused: readonly (readonly [string, DescMethod, () => Promise<Init>, number])[] = [
    ["a JWT-SVID for nobody", fetchJWTSVID, async () => ({}), status.INVALID_ARGUMENT],
    ["an empty audience", fetchJWTSVID, async () => ({ audience: [""] }), status.INVALID_ARGUMENT],
    [
      "65 audiences",
      fetchJWTSVID,
      async () => ({ audience: Array.from({ length: 65 }, (_, index) => `a-${index}`) }),
      status.INVALID_ARGUMENT,
    ],
    [
      "somebody else's JWT-SVID",
      fetchJWTSVID,
      async () => ({ audience: ["db"], spiffeId: `${spiffeId}2` }),
      status.PERMISSION_DENIED,
    ],
    [
      "a validation for another audience",
      validateJWTSVID,
      async () => ({ audience: "other", svid: (await jwtSvid({ audience: ["db"] })).svid }),
      status.INVALID_ARGUMENT,
    ],
    [
      "a validation of a changed token",
      validateJWTSVID,
      async () => {
        const { svid } = await jwtSvid({ audience: ["db"] });
        const middle = svid.indexOf(".") + 20;
        const other = svid[middle] === "A" ? "B" : "A";
        return { audience: "db", svid: svid.slice(0, middle) + other + svid.slice(middle + 1) };
      },
      status.INVALID_ARGUMENT,
    ],
    [
      "a validation of a service-account token",
      validateJWTSVID,
      async () => ({ audience: "istio-ca", svid: mint() }),
      status.INVALID_ARGUMENT,
    ],
    [
      "a validation of nothing",
      validateJWTSVID,
      async () => ({ audience: "db" }),
      status.INVALID_ARGUMENT,
    ],
  ];
  for (const [title, method, request, code] of refused) {
    test(`refuses ${title}`, async () => {
      const answer = await call(socket, method, await request());
      assert.equal(answer.code, code, answer.details);
      assert.doesNotMatch(answer.details, /eyJ/);
    });
  }

  test("answers any bytes with a state or an error, and goes on", async () => {
    for (let round = 0; round < 1_000; round++) {
      const method = all[round % all.length] ?? fetchX509SVID;
      const bytes = Uint8Array.from(randomBytes(round));
      const header = round % 3 === 0 ? randomBytes(6).toString("hex") : "true";
      const { code } = await call(socket, method, bytes, securityHeader(header));
      const expected = [
        status.OK,
        status.INVALID_ARGUMENT,
        status.INTERNAL,
        status.PERMISSION_DENIED,
        status.UNAVAILABLE,
      ];
      assert.ok(expected.includes(code), `${method.name}: ${status[code]}`);
    }
    assert.equal((await call(socket, fetchX509SVID)).code, status.OK);
  });

  test("does not know WIT-SVIDs, and says so (WL-8)", async () => {
    const client = new Client(`unix:${socket}`, credentials.createInsecure());
    const error = await new Promise<ServiceError | null>((resolve) =>
      client.makeUnaryRequest(
        "/SpiffeWorkloadAPI/FetchWITSVID",
        () => Buffer.alloc(0),
        () => ({}),
        {},
        securityHeader("true"),
        (reason) => resolve(reason),
      ),
    );
    client.close();
    assert.equal(error?.code, status.UNIMPLEMENTED);
  });

  test("fills a directory for `svid fetch`, and a token for `jwt fetch`", async () => {
    using out = temporaryDirectory();
    const dir = join(out.path, "web");
    const address = `unix://${socket}`;
    const fetched = await runVerb("svid", "fetch", "--workload-api", address, "--out", dir);
    assert.equal(fetched.exitCode, 0);
    const leaf = new X509Certificate(readFileSync(join(dir, "svid.pem")));
    assert.ok(leaf.checkPrivateKey(createPrivateKey(readFileSync(join(dir, "key.pem")))));
    assert.equal(readFileSync(join(dir, "bundle.pem"), "utf8"), ca.rootPem);
    assert.equal(statSync(join(dir, "key.pem")).mode & 0o777, 0o600);
    const jwt = await runVerb("jwt", "fetch", "--workload-api", address, "--audience", "db");
    assert.equal(jwt.exitCode, 0);
    const file = join(out.path, "token.jwt");
    writeFileSync(file, jwt.stdout);
    const judge = (audience: string) =>
      runVerb("jwt", "validate", "--workload-api", address, "--audience", audience, file);
    const [good, bad] = await Promise.all([judge("db"), judge("other")]);
    assert.match(good.stdout, new RegExp(`^${spiffeId}\n`));
    assert.equal(bad.exitCode, 1);
    assert.equal(bad.stdout, "");
  });
});

test("an agent without a certificate answers Unavailable, and is asked again (WL-5)", async () => {
  using directory = temporaryDirectory();
  await using agent = await TestAgent.start({
    directory: directory.path,
    server: "127.0.0.1:1",
    serverRoot: "",
    token: "none",
  });
  for (const method of all) {
    const init = method === fetchJWTSVID ? { audience: ["db"] } : { audience: "db" };
    const fit = method === fetchJWTSVID || method === validateJWTSVID ? init : {};
    const { code } = await call(agent.socketPath, method, fit);
    assert.equal(code, status.UNAVAILABLE, method.name);
  }
});

interface Svid {
  readonly spiffeId: string;
  readonly x509Svid: Uint8Array;
  readonly x509SvidKey: Uint8Array;
  readonly bundle: Uint8Array;
  readonly hint: string;
}
