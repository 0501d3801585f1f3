/** A node agent beside a real server that starts again while the issuer of its workloads is away. */

import assert from "node:assert/strict";
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { StatusValue } from "../../src/app/cli/status-value.ts";
import { SpiffeId } from "../../src/core/spiffe/id.ts";
import { formatYaml } from "../../src/edge/config/yaml.ts";
import { startServer, type ServerProcess } from "../server/portcullis-process.ts";
import { SdsClient } from "../support/agent-sds.ts";
import { TestAgent } from "../support/agent.ts";
import { eventually } from "../support/control-plane.ts";
import { freePort } from "../support/envoy.ts";
import { runVerb } from "../support/mesh-process.ts";
import { bearer } from "../support/node-agent.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import {
  jwksDocument,
  kubernetesClaims,
  makeTokenKey,
  signToken,
  TEST_ISSUER,
} from "../support/tokens.ts";

const NODE = "spiffe://cluster.local/ns/mesh/sa/node-agent";
const RUNNER = "spiffe://cluster.local/ci/acme";
const FORGE = "https://forge.example";

test("a server that starts before an issuer's keys are there counts its workloads once they are", async () => {
  using temporary = temporaryDirectory();
  const directory = temporary.path;
  const [clusterKey, forgeKey] = [makeTokenKey("ES256", "c"), makeTokenKey("ES256", "f")];
  const forgeFile = join(directory, "forge.json");
  writeFileSync(join(directory, "cluster.json"), jwksDocument(clusterKey));
  writeFileSync(forgeFile, jwksDocument(forgeKey));
  const configFile = writeConfig(directory, `127.0.0.1:${await freePort()}`);
  const start = async (): Promise<ServerProcess> =>
    startServer(join(directory, "data"), ["server", "--config", configFile]);
  const iat = Math.floor(Date.now() / 1_000);
  const times = { iat, nbf: iat, exp: iat + 600 };
  const sub = "system:serviceaccount:mesh:node-agent";
  const binding = { namespace: "mesh", serviceaccount: { name: "node-agent", uid: "1" } };
  const own = { ...times, sub, "kubernetes.io": binding };
  const runner = { ...times, iss: FORGE, aud: ["portcullis"], sub: "job-1", owner: "acme" };
  const token = signToken(forgeKey, { payload: runner });

  let server = await start();
  try {
    const { stdout: serverRoot } = await runVerb("bundle", "show", "--admin", adminOf(server));
    mkdirSync(join(directory, "agent"));
    await using agent = await TestAgent.start({
      directory: join(directory, "agent"),
      server: server.endpoints.ca,
      serverRoot,
      token: signToken(clusterKey, { payload: kubernetesClaims(own) }),
      nodeIdentity: SpiffeId.parse(NODE),
    });
    using client = new SdsClient(agent.socketPath, bearer(token));
    using stream = client.sotw("runner");
    stream.subscribe("default", "ROOTCA");
    stream.ack(await stream.next());
    await eventually(async () => isCounted(server));

    await server[Symbol.asyncDispose]();
    renameSync(forgeFile, `${forgeFile}.away`);
    server = await start();
    await eventually(() => /evidence-dropped/.test(server.stderr()), 15_000);
    assert(!(await isCounted(server)));
    assert.match(server.stderr(), /workload-token-refused.*keys-unavailable/);

    renameSync(`${forgeFile}.away`, forgeFile);
    // The keys are read anew every five seconds at most, and count with the next attempt.
    await eventually(async () => isCounted(server), 20_000);
    assert.equal(stream.end, undefined);
    assert.equal(agent.events("mesh-connected").length, 2);
    assert(!server.stderr().includes(token));
  } finally {
    await server[Symbol.asyncDispose]();
  }
});

function writeConfig(directory: string, listen: string): string {
  const path = join(directory, "server.yaml");
  const forge = {
    issuer: FORGE,
    jwks: join(directory, "forge.json"),
    audiences: ["portcullis"],
    rules: [{ match: { owner: "acme" }, spiffeId: "/ci/{owner}" }],
  };
  const config = {
    tokens: { issuer: TEST_ISSUER, jwks: join(directory, "cluster.json") },
    listen,
    metrics: { listen: "127.0.0.1:0" },
    nodeAgents: [NODE],
    identities: { oidc: [forge] },
  };
  writeFileSync(path, formatYaml(config));
  return path;
}

const adminOf = ({ endpoints }: ServerProcess): string => endpoints.admin;

async function isCounted(server: ServerProcess): Promise<boolean> {
  const { stdout } = await runVerb("status", "--admin", adminOf(server), "-o", "json");
  const { proxies } = JSON.parse(stdout) as StatusValue;
  return proxies.some(({ proxy, identity, connected }) => {
    return proxy === "runner" && identity === RUNNER && connected;
  });
}
