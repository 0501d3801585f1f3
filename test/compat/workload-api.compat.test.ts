/** go-spiffe on the sockets of agents, whose certificates live 8 s. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { HelloApp } from "../support/envoy.ts";
import { ControlPlaneProcess, Workload } from "../support/mesh.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { runStock, stepOf, type StockLine } from "./stock-clients.ts";

interface Scene {
  readonly server: Workload;
  readonly client: Workload;
  /** Its agent is not there yet. */
  readonly late: Workload;
}

interface SvidLine extends StockLine {
  readonly spiffe_id: string;
  readonly serial: string;
  readonly not_after: string;
  readonly chain: number;
  readonly roots: number;
}

const lifeMs = 8_000;
const audience = "billing";

const steps: readonly (readonly [string, (scene: Scene) => Promise<void>])[] = [
  [
    "X509Source sees each renewal before the certificate expires",
    async ({ server }) => {
      const lines = await runStock<SvidLine>("x509-watch", { socket: socketOf(server), count: 3 });
      const expiries = lines.map(({ not_after }) => Date.parse(not_after));
      assert.equal(new Set(lines.map(({ serial }) => serial)).size, 3);
      for (const [index, { spiffe_id, chain, roots }] of lines.entries()) {
        assert.deepEqual([spiffe_id, chain, roots], [server.id.toString(), 1, 1]);
        const apartMs = (expiries[index + 1] ?? Infinity) - (expiries[index] ?? 0);
        assert(apartMs > 0);
        if (apartMs !== Infinity) assert(apartMs < lifeMs);
      }
    },
  ],
  [
    "X509Source waits for an agent that comes later",
    async ({ late }) => {
      const asked = runStock<SvidLine>("x509-watch", { socket: socketOf(late) });
      await sleep(300);
      await late.startAgent();
      const [line] = await asked;
      assert.equal(line?.spiffe_id, late.id.toString());
    },
  ],
  [
    "spiffetls lets exactly those meet who expect each other",
    async ({ server, client }) => {
      const sockets = { "server-socket": socketOf(server), "client-socket": socketOf(client) };
      const meetings = await runStock("mtls", sockets);
      for (const { step, id, error } of meetings) {
        const isGood = step === "as expected" || step === "by trust domain";
        assert.equal(error === undefined, isGood, `${step}: ${error}`);
        if (isGood) assert.equal(id, server.id.toString());
      }
      assert.equal(meetings.length, 6);
    },
  ],
  [
    "spiffetls and an Envoy believe each other",
    async ({ server, client }) => {
      const flags = {
        socket: socketOf(client),
        address: `127.0.0.1:${server.inbound}`,
        expect: server.id.toString(),
      };
      assert.deepEqual(await runStock("mtls-dial", flags), [{ step: "dial", id: flags.expect }]);
      const expect = client.id.toString();
      const [wrong] = await runStock("mtls-dial", { ...flags, expect });
      assert.match(wrong?.error ?? "", /unexpected ID/);
    },
  ],
  [
    "a JWT-SVID is good for its audiences only, here and at the agent",
    async ({ client }) => {
      const validated = await runStock("jwt", { socket: socketOf(client), audience });
      const id = client.id.toString();
      assert.deepEqual(stepOf(validated, "fetch"), { step: "fetch", id });
      for (const good of [audience, "second"]) {
        for (const where of ["here", "at the agent"]) {
          const step = `validate ${where} for ${good}`;
          assert.deepEqual(stepOf(validated, step), { step, id });
        }
      }
      const here = stepOf(validated, "validate here for somebody-else");
      assert.match(here.error ?? "", /audience/);
      const codes = [
        ["validate at the agent for somebody-else", "InvalidArgument"],
        ["validate at the agent with another signature", "InvalidArgument"],
        ["fetch for somebody else", "PermissionDenied"],
      ] as const;
      for (const [step, code] of codes) assert.equal(stepOf(validated, step).code, code, step);
    },
  ],
  [
    "a call without the header that the standard wants is refused",
    async ({ client }) => {
      const calls = await runStock("workload-codes", { socket: socketOf(client) });
      assert.deepEqual(
        calls.map(({ step, id, code }) => [step, id ?? code]),
        [
          ["without the header", "InvalidArgument"],
          ["with another value", "InvalidArgument"],
          ["with the header", client.id.toString()],
          ["for what is not served", "Unimplemented"],
        ],
      );
    },
  ],
  [
    "the agent's socket describes its services",
    async ({ client }) => {
      const lines = await runStock<StockLine>("reflection", { socket: socketOf(client) });
      const methods = new Map(lines.map(({ service, methods }) => [service, methods]));
      assert.deepEqual(methods.get("SpiffeWorkloadAPI"), [
        "FetchX509SVID",
        "FetchX509Bundles",
        "FetchJWTSVID",
        "FetchJWTBundles",
        "ValidateJWTSVID",
      ]);
    },
  ],
];

test("go-spiffe", { timeout: 60_000 }, async (t) => {
  using directory = temporaryDirectory();
  await using stack = new AsyncDisposableStack();
  const appPort = await stack.use(new HelloApp()).listen();
  const ttl = `${lifeMs / 1_000}s`;
  const controlPlane = stack.use(await ControlPlaneProcess.create(directory.path, ttl));
  await controlPlane.start();
  const server = stack.use(await Workload.create(controlPlane, { name: "server", appPort }));
  const client = stack.use(await Workload.create(controlPlane, { name: "client", appPort }));
  const late = stack.use(await Workload.create(controlPlane, { name: "late", appPort }));
  await Promise.all([server.startAgent(), client.startAgent()]);
  await server.startEnvoy();
  await server.waitUntilLive();
  const scene: Scene = { server, client, late };
  for (const [title, run] of steps) await t.test(title, async () => run(scene));
});

function socketOf({ directory }: Workload): string {
  return join(directory, "sds.sock");
}
