/** `svid fetch`, `svid show` and `token mint` with a real server: what they write, say and exit with. */

import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { mint, startControlPlane } from "../support/control-plane.ts";
import type { TestControlPlane } from "../support/control-plane.ts";
import { OpensslCa } from "../support/openssl-ca.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { TrustDomain } from "../../src/core/spiffe/id.ts";
import { runVerb as run, startServer } from "./portcullis-process.ts";

test("svid fetch waits for a dev that is still starting", async () => {
  using temporary = temporaryDirectory();
  const dataDir = join(temporary.path, "dev");
  const out = join(temporary.path, "web");
  const fetching = run([
    "svid",
    "fetch",
    "-n",
    "default",
    "-s",
    "web",
    "--out",
    out,
    "--data-dir",
    dataDir,
  ]);
  const ports = ["--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"];
  await using _ = await startServer(dataDir, ["dev", ...ports]);
  const { status, stdout, stderr } = await fetching;
  assert.deepEqual([status, stderr], [0, ""]);
  assert.match(
    stdout,
    /^spiffe:\/\/cluster\.local\/ns\/default\/sa\/web \(expires in 23h59m\) in .*\nnext: /,
  );
  const mode = (file: string): number => statSync(join(out, file)).mode & 0o777;
  assert.deepEqual(
    ["", "key.pem", "svid.pem", "bundle.pem"].map(mode),
    [0o700, 0o600, 0o644, 0o644],
  );
  const leaf = new X509Certificate(readFileSync(join(out, "svid.pem")));
  const root = new X509Certificate(readFileSync(join(out, "bundle.pem")));
  assert.ok(leaf.verify(root.publicKey));
  assert.equal(readFileSync(join(dataDir, "root-cert.pem"), "utf8"), root.toString());

  const bound = ["--pod", "web-0", "--ttl", "10m", "--audience", "a", "--audience", "b"];
  const who = ["-n", "default", "-s", "web", "--data-dir", dataDir];
  const minted = await run(["token", "mint", ...who, ...bound]);
  // Without a line's end, which Envoy's google_grpc could not send.
  assert.match(minted.stdout, /^[\w-]+\.[\w-]+\.[\w-]+$/);
  const [header, claims] = minted.stdout.split(".").map((part) => {
    try {
      return JSON.parse(Buffer.from(part, "base64url").toString()) as Record<string, unknown>;
    } catch {
      return {};
    }
  });
  assert.deepEqual(Object.keys(header ?? {}), ["alg", "kid"]);
  const names = ["aud", "exp", "iat", "iss", "jti", "kubernetes.io", "nbf", "sub"];
  assert.deepEqual(Object.keys(claims ?? {}).toSorted(), names);
  assert.equal(claims?.["sub"], "system:serviceaccount:default:web");
  assert.deepEqual(claims["aud"], ["a", "b"]);
  assert.equal(Number(claims["exp"]) - Number(claims["iat"]), 600);
  const { namespace, pod, serviceaccount } = claims["kubernetes.io"] as Record<
    string,
    { name: string }
  >;
  assert.deepEqual([namespace, pod?.name, serviceaccount?.name], ["default", "web-0", "web"]);
});

describe("with a server", () => {
  let it: TestControlPlane;
  const temporary = temporaryDirectory();
  const path = (file: string): string => join(temporary.path, file);
  before(async () => {
    it = await startControlPlane({ flags: { "max-ttl": "24h" } });
    writeFileSync(path("root"), it.rootPem);
    writeFileSync(path("token"), `${mint()}\n`);
    writeFileSync(path("expired"), mint({ exp: 1_700_000_000 }));
    writeFileSync(path("empty"), "");
    writeFileSync(path("two"), "a\nb\n");
    writeFileSync(path("stranger"), new OpensslCa(temporary.path, TrustDomain.parse("x")).rootPem);
  });
  after(async () => {
    await it[Symbol.asyncDispose]();
    temporary[Symbol.dispose]();
  });

  const fetchWith = (changes: Readonly<Record<string, string>>) => {
    const flags = {
      server: it.address,
      "server-root": path("root"),
      "token-file": path("token"),
      out: path("out"),
    };
    const given = Object.entries({ ...flags, ...changes });
    return run(["svid", "fetch", ...given.flatMap(([name, value]) => [`--${name}`, value])]);
  };

  test("svid fetch takes a server, its roots and a token, and svid show tells what came", async () => {
    const fetched = await fetchWith({ ttl: "1h" });
    assert.deepEqual([fetched.status, fetched.stderr], [0, ""]);
    const file = path("out/svid.pem");
    const shown = await run(["svid", "show", file]);
    assert.equal(shown.status, 0);
    assert.match(
      shown.stdout,
      /^FIELD +LEAF\nname +spiffe:\/\/cluster\.local\/ns\/shop\/sa\/cart\nserial +[0-9a-f]+\n/,
    );
    const json = await run(["svid", "show", file, "-o", "json"]);
    const [leaf] = JSON.parse(json.stdout) as Record<string, unknown>[];
    assert.deepEqual([leaf?.["inDate"], leaf?.["ca"], leaf?.["key"]], [true, false, "ec-p256"]);
    assert.equal((await run(["svid", "show", file], 7_200_000)).status, 3);
    assert.equal((await run(["svid", "show", path("root")])).status, 0);
    const key = await run(["svid", "show", path("out/key.pem")]);
    assert.equal(key.status, 1);
    assert.match(
      key.stderr,
      /^error: .*key\.pem: expected a PEM block "CERTIFICATE", got "PRIVATE KEY"\n/,
    );
  });

  const mistakes: readonly (readonly [
    title: string,
    changes: () => Readonly<Record<string, string>>,
    status: number,
    said: RegExp,
  ])[] = [
    [
      "no server there",
      () => ({ server: "127.0.0.1:1" }),
      1,
      /^error: 127\.0\.0\.1:1: connect ECONNREFUSED 127\.0\.0\.1:1\nhint: is the server running/,
    ],
    [
      "another CA's root",
      () => ({ "server-root": path("stranger") }),
      1,
      /^error: \S+: self-signed certificate in certificate chain\nhint: are these the roots/,
    ],
    [
      "no roots in the file",
      () => ({ "server-root": path("empty") }),
      1,
      /empty: expected a PEM block/,
    ],
    ["no port", () => ({ server: "localhost" }), 2, /^error: --server: expected HOST:PORT/],
    [
      "an expired token",
      () => ({ "token-file": path("expired") }),
      1,
      /^error: \S+: request authenticate failure\nhint: the server's log names the reason/,
    ],
    [
      "an empty token",
      () => ({ "token-file": path("empty") }),
      2,
      /^error: --token-file: expected one/,
    ],
    ["two tokens", () => ({ "token-file": path("two") }), 2, /^error: --token-file: expected one/],
    [
      "no such file",
      () => ({ "token-file": path("none") }),
      1,
      /none: no such file or directory\n$/,
    ],
    [
      "too long a life",
      () => ({ ttl: "25h" }),
      1,
      /requested TTL 25h0m0s is greater than the max allowed TTL 24h0m0s/,
    ],
    [
      "a file where the directory goes",
      () => ({ out: path("root") }),
      2,
      /^error: --out: cannot make/,
    ],
  ];
  for (const [title, changes, status, said] of mistakes) {
    test(`svid fetch with ${title} says what to do`, async () => {
      const outcome = await fetchWith({ ...changes() });
      assert.match(outcome.stderr, said);
      assert.deepEqual([outcome.status, outcome.stdout], [status, ""]);
      const tokens = readFileSync(path("token"), "utf8").trim().split(".");
      assert.ok(tokens.every((part) => !outcome.stderr.includes(part)));
    });
  }
});
