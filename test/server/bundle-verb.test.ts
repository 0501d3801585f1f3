/** `bundle show`: of a server of ours over its admin socket, and of an endpoint. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import type { Registry } from "../../src/app/cli/command.ts";
import { runCli } from "../../src/app/cli/run.ts";
import { bundleHandler } from "../../src/app/server/bundle-service.ts";
import { parseBundleDocument } from "../../src/core/spiffe/bundle-document.ts";
import { parsePem } from "../../src/core/x509/pem.ts";
import { createLocalServer, shutdownGrpc } from "../../src/edge/rpc/grpc-server.ts";
import { addService } from "../../src/edge/rpc/service-definition.ts";
import { listenOnUnixSocket } from "../../src/edge/rpc/unix-listener.ts";
import { AdminService } from "../../src/gen/portcullis/admin/v1/admin_pb.ts";
import { ask, startBundleRig, type BundleRig } from "./bundle-rig.ts";

const REGISTRY: Registry = [
  {
    path: ["bundle", "show"],
    summary: "Show the trust bundle, or another trust domain's",
    load: async () => (await import("../../src/app/cli/verbs/bundle-show.ts")).bundleShow,
  },
];

let rig: BundleRig;
let admin: string;
const owned = new AsyncDisposableStack();
before(async () => {
  rig = owned.use(await startBundleRig());
  const { trust, directory } = rig.parts;
  const grpc = createLocalServer();
  const getBundle = bundleHandler({
    bundle: () => trust.current.bundle,
    refreshHintSeconds: () => 300,
  });
  addService(grpc, AdminService, { getBundle });
  const path = join(directory, "admin.sock");
  owned.use(await listenOnUnixSocket(grpc, path, 0o600));
  owned.defer(() => shutdownGrpc(grpc, 1_000));
  admin = `unix://${path}`;
});
after(() => owned.disposeAsync());

async function run(args: readonly string[]) {
  const said = { stdout: "", stderr: "" };
  const status = await runCli(["bundle", "show", ...args], {
    stdout: { write: (text) => (said.stdout += text) },
    stderr: { write: (text) => (said.stderr += text) },
    env: {},
    signal: new AbortController().signal,
    nowMs: () => Date.now(),
    isTty: false,
    columns: 80,
    registry: REGISTRY,
  });
  return { status, ...said };
}

const from = (profile: string, ...args: readonly string[]): readonly string[] => [
  "--from",
  rig.endpoint.url,
  "--profile",
  profile,
  ...args,
];
const bySpiffeId = (): readonly string[] => {
  const id = ["--endpoint-id", "spiffe://cluster.local/portcullis/server"];
  return from("https_spiffe", "--trust-domain", "cluster.local", ...id);
};

function file(name: string, text: string): string {
  const path = join(rig.parts.directory, name);
  writeFileSync(path, text);
  return path;
}

describe("the bundle of a server", () => {
  test("is PEM that OpenSSL verifies with, each root below what it is", async () => {
    const { status, stdout, stderr } = await run(["--admin", admin]);
    assert.equal(status, 0);
    assert.match(
      stdout,
      /^# O=cluster\.local.*, expires 20\d\d-\S+Z, key id [0-9a-f]{40}\n-----BEGIN CERTIFICATE-----\n/,
    );
    assert.deepEqual(
      parsePem(stdout, "CERTIFICATE", { blocksMax: 2 }).map(hex),
      rig.parts.trust.current.bundle.roots.map(hex),
    );
    assert.equal(
      stderr,
      "trust domain cluster.local, sequence 1, X.509 roots: 1, JWT keys: 1, refresh after 300 s\n",
    );
    const { certificate } = await ask(rig.endpoint.url, { ca: stdout });
    const leaf = file(
      "leaf.pem",
      `-----BEGIN CERTIFICATE-----\n${Buffer.from(certificate).toString("base64")}\n-----END CERTIFICATE-----\n`,
    );
    const args = ["verify", "-CAfile", file("roots.pem", stdout), leaf];
    assert.match(execFileSync("openssl", args, { encoding: "utf8" }), /: OK/);
  });

  test("is the document that its endpoint serves", async () => {
    const { status, stdout } = await run(["--admin", admin, "--format", "spiffe"]);
    assert.equal(status, 0);
    assert.equal(stdout, `${(await ask(rig.endpoint.url, { ca: rig.parts.rootPem })).body}\n`);
  });

  test("is facts for a script", async () => {
    const { stdout, stderr } = await run(["--admin", admin, "-o", "json"]);
    const value = JSON.parse(stdout) as Record<string, unknown>;
    assert.deepEqual(
      [value["trustDomain"], value["sequence"], value["refreshHintSeconds"]],
      ["cluster.local", "1", 300],
    );
    const { keyId } = rig.parts.trust.current.jwt;
    assert.deepEqual(value["jwtKeys"], [{ keyId, key: "ec-p256" }]);
    assert.equal(stderr, "");
  });

  test("is not there when nobody answers", async () => {
    const { status, stderr } = await run(["--admin", `${admin}.gone`]);
    assert.equal(status, 1);
    assert.match(stderr, /^error: no server answers at /);
  });
});

describe("the bundle of an endpoint", () => {
  test("FED-12: is verified with PEM roots as well as with a bundle document", async () => {
    const { stdout: document } = await run(["--admin", admin, "--format", "spiffe"]);
    const trusts = [file("b.pem", rig.parts.rootPem), file("b.json", document)];
    for (const trust of trusts) {
      const result = await run([...bySpiffeId(), "--trust", trust, "--format", "spiffe"]);
      assert.equal(result.status, 0, result.stderr);
      assert.equal(result.stdout, document);
      assert.deepEqual(parseBundleDocument(result.stdout), parseBundleDocument(document));
    }
  });

  test("FED-7: is warned of when the endpoint is of another trust domain than the bundle is to be", async () => {
    const trust = ["--trust", file("b.pem", rig.parts.rootPem)];
    assert.doesNotMatch((await run([...bySpiffeId(), ...trust])).stderr, /warning/);
    const other = [...bySpiffeId(), ...trust, "--trust-domain", "other.example", "-o", "json"];
    const { status, stderr } = await run(other);
    assert.equal(
      stderr,
      "warning: the endpoint is of cluster.local: is its bundle that of other.example?\n",
    );
    assert.equal(status, 0);
  });

  test("is verified with the given roots of the web", async () => {
    const trust = file("b.pem", rig.parts.rootPem);
    const args = from("https_web", "--trust", trust, "--trust-domain", "other.example");
    const { status, stdout } = await run([...args, "-o", "json"]);
    assert.equal(status, 0);
    // FED-7: it is the operator who says whose it is.
    assert.equal((JSON.parse(stdout) as { trustDomain: string }).trustDomain, "other.example");
  });

  test("is not shown when the endpoint is not who was meant", async () => {
    const args = from("https_web", "--trust-domain", "cluster.local", "-o", "json");
    const { status, stdout, stderr } = await run(args);
    assert.deepEqual([status, stdout], [1, ""]);
    const { error } = JSON.parse(stderr) as { error: { code: string } };
    assert.equal(error.code, "bundle-endpoint-untrusted");
  });

  const incomplete: readonly (readonly [string, () => readonly string[], RegExp])[] = [
    ["a profile", () => fromWithout("--profile"), /expected --profile https_web or https_spiffe/],
    ["a trust domain", () => fromWithout("--trust-domain"), /expected --trust-domain NAME/],
    ["an endpoint's ID", () => fromWithout("--endpoint-id"), /expected --endpoint-id SPIFFE_ID/],
    ["what to trust", () => bySpiffeId(), /expected --trust FILE with https_spiffe/],
    ["a URL", () => ["--profile", "https_web"], /expected --from URL beside --profile/],
    ["one server", () => [...bySpiffeId(), "--admin", admin], /got both/],
    ["one form", () => ["--admin", admin, "-o", "json", "--format", "pem"], /got both/],
  ];
  for (const [title, args, expected] of incomplete) {
    test(`FED-7: is not looked for without ${title}`, async () => {
      const { status, stderr } = await run(args());
      assert.equal(status, 2);
      assert.match(stderr, expected);
    });
  }
});

function fromWithout(flag: string): readonly string[] {
  const args = bySpiffeId();
  const index = args.indexOf(flag);
  return args.toSpliced(index, 2);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
