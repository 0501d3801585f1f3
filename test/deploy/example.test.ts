/** The example of a workload: its command lines are run as they stand, on other paths. */

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { parse } from "yaml";
import {
  eventually,
  mint,
  startControlPlane,
  type TestControlPlane,
} from "../support/control-plane.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { find, parseManifests } from "./chart.ts";
import { podSpecOf, type Container } from "./pod-spec.ts";

const root = join(import.meta.dirname, "../..");
const text = readFileSync(join(root, "deploy/kubernetes/examples/workload.yaml"), "utf8");
const pod = podSpecOf(find(parseManifests(text), "Deployment", "web"));

function container(name: string): Container {
  const all = [...(pod.initContainers ?? []), ...pod.containers];
  return all.find((each) => each.name === name) ?? assert.fail(name);
}

describe("the example of a workload", () => {
  let directory: ReturnType<typeof temporaryDirectory>;
  let server: TestControlPlane;
  let env: Readonly<Record<string, string | undefined>>;

  before(async () => {
    directory = temporaryDirectory();
    server = await startControlPlane();
    mkdirSync(join(directory.path, "bin"));
    symlinkSync(join(root, "bin/portcullis"), join(directory.path, "bin/portcullis"));
    const path = `${join(directory.path, "bin")}:${process.env["PATH"]}`;
    env = { ...process.env, PATH: path, POD_NAME: "web-7d9" };
    for (const [file, content] of [
      ["istio/root-cert.pem", server.rootPem],
      ["tokens/istio-token", mint()],
    ] as const) {
      mkdirSync(join(directory.path, file, ".."));
      writeFileSync(join(directory.path, file), content);
    }
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
    directory[Symbol.dispose]();
  });

  const here = (word: string): string =>
    word
      .replaceAll("/run/portcullis/", `${directory.path}/`)
      .replaceAll("/var/run/secrets/", `${directory.path}/`)
      .replace("portcullis.portcullis-system.svc:15012", server.address);

  it("makes a bootstrap for an Envoy with the pod's name", async () => {
    const { command = [], args = [] } = container("envoy-bootstrap");
    const [shell = "", ...words] = [...command, ...args].map(here);
    await promisify(execFile)(shell, words, { env });
    const bootstrap = parse(readFileSync(join(directory.path, "envoy.yaml"), "utf8")) as {
      node: { id: string; cluster: string };
    };
    assert.deepEqual([bootstrap.node.id, bootstrap.node.cluster], ["web-7d9", "web"]);
  });

  it("starts Envoy as the bootstrap's own command line says", async () => {
    const flags = ["--sds-socket", "/a", "--admin-socket", "/b", "--node-id", "c"];
    const file = "/run/portcullis/envoy.yaml";
    const words = ["envoy", "bootstrap", ...flags, "--command", file];
    const { stdout } = await promisify(execFile)(join(root, "bin/portcullis"), words, { env });
    assert.deepEqual(container("envoy").command, ["envoy", ...stdout.trim().split(" ")]);
  });

  it("has an agent that gets its certificate, opens the socket, and says goodbye", async () => {
    const { args = [], startupProbe } = container("agent");
    const agent = spawn(join(root, "bin/portcullis"), args.map(here), {
      env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const ended = once(agent, "exit");
    const lines: string[] = [];
    for (const stream of [agent.stdout, agent.stderr]) {
      createInterface({ input: stream }).on("line", (line) => void lines.push(line));
    }
    try {
      await eventually(() => lines.some((line) => line.includes("mesh-connected")), 20_000);
      assert.ok(existsSync(join(directory.path, "sds.sock")), lines.join("\n"));
      const issued = server.log.find(({ event }) => event === "certificate-issued");
      assert.equal(issued?.["spiffeId"], "spiffe://cluster.local/ns/shop/sa/cart");
      assert.notEqual(startupProbe, undefined);
    } finally {
      agent.kill("SIGTERM");
    }
    assert.deepEqual(await ended, [0, null]);
    assert.ok(lines.some((line) => line.includes("said-goodbye")));
  });
});
