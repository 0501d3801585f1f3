/** The image's files alone, with production's dependencies, run as nobody on a volume as the kubelet makes it. */

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, copyFileSync, existsSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { freePorts } from "../../src/app/demo/ports.ts";
import { eventually } from "../support/control-plane.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { assembleImage, copiedSources, sentToTheBuilder, testsIn } from "./image-files.ts";

const root = join(import.meta.dirname, "../..");
const uid = 10_001;
/** Without the right to be somebody else, it runs as who runs the test. */
const nobody = process.getuid?.() === 0 ? { uid, gid: uid } : {};

describe("the Dockerfile", () => {
  it("takes only what is there, and what the builder is sent", () => {
    const sent = sentToTheBuilder();
    for (const { source } of copiedSources()) {
      assert.ok(existsSync(join(root, source)), source);
      assert.ok(sent.includes(source), `${source} is not in .dockerignore`);
    }
    const taken = new Set(copiedSources().map(({ source }) => source));
    assert.deepEqual(
      sent.filter((path) => !taken.has(path)),
      [],
    );
  });
});

describe("the image's files", () => {
  let directory: ReturnType<typeof temporaryDirectory>;
  let image: string;
  let env: Readonly<Record<string, string>>;

  before(() => {
    directory = temporaryDirectory();
    chmodSync(directory.path, 0o755);
    image = join(directory.path, "image");
    assembleImage(image);
    const bin = join(directory.path, "node");
    mkdirSync(bin);
    copyFileSync(process.execPath, join(bin, "node"));
    const tmp = join(directory.path, "tmp");
    mkdirSync(tmp);
    chmodSync(tmp, 0o1777);
    env = {
      PATH: `${bin}:/usr/bin:/bin`,
      XDG_CACHE_HOME: join(tmp, "cache"),
      NODE_ENV: "production",
    };
  });
  after(() => directory[Symbol.dispose]());

  const run = async (...args: string[]): Promise<string> => {
    const { stdout } = await promisify(execFile)(join(image, "bin/portcullis"), args, {
      env,
      ...nobody,
    });
    return stdout;
  };

  it("have no tests, and nothing that only tests need", () => {
    assert.deepEqual(testsIn(image), []);
    for (const name of ["typescript", "fast-check", "node", "oxlint"]) {
      assert.ok(!existsSync(join(image, "node_modules", name)), name);
    }
    assert.ok(existsSync(join(image, "node_modules/@kubernetes/client-node")));
  });

  it("say who they are, and explain each verb", async () => {
    assert.match(await run("version"), /^portcullis \d+\.\d+\.\d+ \(node v2\d/);
    for (const verb of ["server", "agent", "status"])
      assert.match(await run("help", verb), /Usage:/);
  });

  it("load the binding to HSMs", async () => {
    const file = join(image, "src/app/none.mjs");
    const require = `require('node:module').createRequire('${file}')('pkcs11js')`;
    await promisify(execFile)(join(directory.path, "node/node"), ["-e", require], { env });
  });

  it("are a server that starts as nobody on a volume open to its group, and ends at SIGTERM", async () => {
    // As a volume with fsGroup: root's, with the group's bits and its inheritance.
    const volume = join(directory.path, "volume");
    mkdirSync(volume);
    if ("uid" in nobody) chownSync(volume, 0, uid);
    chmodSync(volume, 0o2770);
    const [ca = 0, metrics = 0] = await freePorts(2, Math.random);
    const dataDir = join(volume, "data");
    const flags = ["--data-dir", dataDir, "--listen", `127.0.0.1:${ca}`];
    const args = ["server", ...flags, "--metrics-listen", `127.0.0.1:${metrics}`];
    const server = spawn(join(image, "bin/portcullis"), args, { env, ...nobody, stdio: "ignore" });
    const ended = once(server, "exit");
    const isReady = (): Promise<boolean> =>
      fetch(`http://127.0.0.1:${metrics}/readyz`).then(
        ({ ok }) => ok,
        () => false,
      );
    try {
      await eventually(isReady, 30_000);
      assert.equal(statSync(dataDir).mode & 0o777, 0o700);
      assert.match(await run("status", "--data-dir", dataDir), /cluster\.local/);
    } finally {
      server.kill("SIGTERM");
    }
    assert.deepEqual(await ended, [0, null]);
  });
});
