/** A real control plane with workloads whose agents a test drives: its clock is moved, and what Envoys saw is said. */

import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import type { SeenConnections } from "../../src/core/evidence/connection.ts";
import type { ServerMode } from "../../src/core/policy/server-mode.ts";
import { parseManifests } from "../../src/edge/resources/parse-manifests.ts";
import { checkMtls, getFlips, revertFlip, startFlip } from "../../src/edge/rpc/flip-client.ts";
import type { FlipRequest } from "../../src/edge/rpc/flip-requests.ts";
import { changeResources, listResources } from "../../src/edge/rpc/resource-client.ts";
import type {
  FlipRefusal,
  FlipStatus,
  MtlsVerdict,
  StartFlipResponse,
} from "../../src/gen/portcullis/admin/v1/admin_pb.ts";
import { eventually, startControlPlane, type TestControlPlane } from "../support/control-plane.ts";
import { coverageOf, seenOf } from "../support/evidence.ts";
import { RawAgent } from "./raw-agent.ts";

export const flipPort = 8080;
const lookBackSeconds = 20;
export const operator = "ada";

/** Of workloads of `shop/api`, which has a service and, unless it is "", a policy; of others, too. */
export function shopManifests(names: readonly string[], mode = "PERMISSIVE"): string {
  const workloads = names.map((name, at) => workloadYaml(name, `10.0.0.${at + 10}`));
  const apps = new Set(names.map((name) => name.split("-")[0] ?? ""));
  const rest = [serviceYaml, ...(mode === "" ? [] : [peerYaml(mode)])];
  return [...workloads, ...[...apps].map(sidecarYaml), ...rest].join("---\n");
}

export function workloadYaml(name: string, address: string): string {
  const [app = ""] = name.split("-");
  return `
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: ${name}, namespace: shop, labels: { app: ${app} } }
spec: { address: ${address}, serviceAccount: ${app} }
`;
}

export function peerYaml(mode: string, annotations = "{}"): string {
  return `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: api, namespace: shop, annotations: ${annotations} }
spec:
  selector: { matchLabels: { app: api } }
  mtls: { mode: ${mode} }
`;
}

const serviceYaml = `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: api, namespace: shop }
spec:
  hosts: [api.shop.internal]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{ number: 80, name: http, protocol: HTTP, targetPort: ${flipPort} }]
  workloadSelector: { labels: { app: api } }
`;

function sidecarYaml(app: string): string {
  return `
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: ${app}, namespace: shop }
spec:
  workloadSelector: { labels: { app: ${app} } }
  ingress: [{ port: { number: ${flipPort}, name: http, protocol: HTTP }, defaultEndpoint: 127.0.0.1:9080 }]
`;
}

/** Of a server and what its agents say: real time, and what a test adds. */
export class TestClock {
  #aheadMs: number;

  /** @param aheadMs below two minutes where certificates are yet to be made: whoever verifies them has another clock */
  constructor(aheadMs = 0) {
    this.#aheadMs = aheadMs;
  }

  readonly nowMs = (): number => Date.now() + this.#aheadMs;

  advance(ms: number): void {
    this.#aheadMs += ms;
  }
}

export interface FlipsScene extends AsyncDisposable {
  readonly plane: TestControlPlane;
  readonly admin: string;
  readonly agents: readonly RawAgent[];
  readonly clock: TestClock;
  apply(yaml: string): Promise<void>;
  /** Each agent tells that it has seen nothing else, up to now. */
  covered(...agents: readonly RawAgent[]): Promise<void>;
  /** And this. */
  saw(agent: RawAgent, ...seen: readonly Partial<SeenConnections>[]): Promise<void>;
}

export interface SceneOptions {
  readonly dataDir?: string | undefined;
  readonly resourcesDir?: string | undefined;
  readonly clock?: TestClock;
  readonly names?: readonly string[];
  /** Of the policy; "" for none. */
  readonly mode?: string;
  /** Whether they have been there for the look-back, and only mTLS was seen. */
  readonly isSafe?: boolean;
}

export const apiNames: readonly string[] = ["api-0", "api-1", "api-2", "api-3"];

/** With `api-0` to `api-3`, which are there, and have told. */
export async function openScene(options: SceneOptions = {}): Promise<FlipsScene> {
  const { names = apiNames, mode = "PERMISSIVE", isSafe = true } = options;
  const clock = options.clock ?? new TestClock();
  const agents = names.map((name) => new RawAgent(name));
  const scene = await serveScene({ ...options, clock, agents, epochMs: clock.nowMs() });
  await scene.apply(shopManifests(names, mode));
  for (const agent of agents) await agent.open(scene.plane);
  // Then the server knows of them: who has an address now has not had it before.
  await eventually(() => agents.every(({ told }) => told.length > 0));
  if (!isSafe) return scene;
  clock.advance(2 * lookBackSeconds * 1_000);
  await scene.covered();
  return scene;
}

export interface ServeOptions extends Pick<SceneOptions, "dataDir" | "resourcesDir"> {
  readonly clock: TestClock;
  /** Not open yet. */
  readonly agents: readonly RawAgent[];
  /** Since when each Envoy runs. */
  readonly epochMs: number;
}

/** A server alone, as it is on its directory. */
export async function serveScene(options: ServeOptions): Promise<FlipsScene> {
  const { dataDir, resourcesDir, clock, agents, epochMs } = options;
  const plane = await startControlPlane({
    nowMs: clock.nowMs,
    flags: {
      "look-back": `${lookBackSeconds}s`,
      "evidence-retention": "1h",
      ...(dataDir !== undefined && { "data-dir": dataDir }),
      ...(resourcesDir !== undefined && { resources: resourcesDir }),
    },
  });
  const { admin } = plane.controlPlane.endpoints;
  const toldMs = new Map<RawAgent, number>();
  const source = { kind: "identity", spiffeId: "spiffe://cluster.local/ns/shop/sa/web" } as const;
  const saw: FlipsScene["saw"] = async (agent, ...seen) => {
    const now = clock.nowMs();
    const sinceMs = toldMs.get(agent) ?? epochMs;
    toldMs.set(agent, now);
    const meshed = seenOf(now, { port: flipPort, kind: "mtls", source });
    const all = seen.map((each) => seenOf(now, { port: flipPort, ...each }));
    await agent.saw(epochMs, [meshed, ...all], [coverageOf(sinceMs, now, { port: flipPort })]);
  };
  return {
    plane,
    admin,
    agents,
    clock,
    apply: async (yaml) => {
      const { objects, problems } = parseManifests(yaml, "f.yaml");
      assert.deepEqual(problems, []);
      await changeResources(admin, { apply: objects, remove: [], isDryRun: false, operator });
    },
    covered: async (...some) => {
      for (const agent of some.length === 0 ? agents : some) await saw(agent);
    },
    saw,
    [Symbol.asyncDispose]: async () => {
      for (const agent of agents) agent.close();
      await plane[Symbol.asyncDispose]();
    },
  };
}

/** The open stage has told for long enough, and whatever waits for that goes on. */
export async function settle(scene: FlipsScene): Promise<void> {
  scene.clock.advance(2_000);
  await scene.covered();
}

export async function begin(
  { admin }: Pick<FlipsScene, "admin">,
  more: Partial<FlipRequest> = {},
): Promise<StartFlipResponse> {
  return await startFlip(admin, {
    target: "shop/api",
    operator,
    lookBack: undefined,
    stages: "1,all",
    revertWindow: 30,
    revertOnRefused: 0,
    dryRun: false,
    awaitsObject: false,
    ...more,
  });
}

/** All have told of the order, too: its first stage opens. @throws where it is refused */
export async function begun(
  scene: FlipsScene,
  more: Partial<FlipRequest> = {},
): Promise<FlipStatus> {
  const flip = await ordered(scene, more);
  await settle(scene);
  return flip;
}

/** Nobody has told since. @throws where it is refused */
export async function ordered(
  scene: Pick<FlipsScene, "admin">,
  more: Partial<FlipRequest> = {},
): Promise<FlipStatus> {
  const { result } = await begin(scene, more);
  if (result.case !== "flip") assert.fail(JSON.stringify(result.value?.message));
  return result.value;
}

export async function refusedStart(
  scene: Pick<FlipsScene, "admin">,
  more: Partial<FlipRequest> = {},
): Promise<FlipRefusal> {
  const { result } = await begin(scene, more);
  if (result.case !== "refused") assert.fail("it was not refused");
  return result.value;
}

export async function revert(
  { admin }: Pick<FlipsScene, "admin">,
  target = "shop/api",
  dryRun = false,
): ReturnType<typeof revertFlip> {
  return await revertFlip(admin, { target, operator, reason: "billing fails", dryRun });
}

export async function flipNow({ admin }: Pick<FlipsScene, "admin">): Promise<FlipStatus> {
  return (await getFlips(admin, "shop/api")).at(-1) ?? assert.fail("there is no flip");
}

export async function reached(
  scene: Pick<FlipsScene, "admin">,
  state: string,
  stage?: number,
): Promise<FlipStatus> {
  return await eventually(async () => {
    const flip = await flipNow(scene);
    return flip.state === state && (stage === undefined || flip.stage === stage) && flip;
  }, 20_000);
}

/** All of the open stage refuse plaintext, and the flip knows it: what is told from then on counts. */
export async function inForce(scene: FlipsScene, stage: number): Promise<void> {
  await eventually(async () => {
    const { waits, ...flip } = await flipNow(scene);
    const isIn = waits.some(({ kind }) => kind === "evidence");
    return flip.state === "stage" && flip.stage === stage && isIn;
  });
}

export async function verdictNow(
  { admin }: Pick<FlipsScene, "admin">,
  target = "shop/api",
): Promise<MtlsVerdict> {
  const { result } = await checkMtls(admin, { target, operator, lookBack: undefined });
  if (result.case !== "verdict") assert.fail(JSON.stringify(result.value?.message));
  return result.value;
}

/** As the agents have acknowledged, in their order. */
export async function modesAre(
  { agents }: Pick<FlipsScene, "agents">,
  ...modes: readonly ServerMode[]
): Promise<void> {
  await becomes(() => Promise.resolve(agents.map((each) => each.modes.get(flipPort))), modes);
}

/** By kind and name. */
export async function waitsFor(scene: FlipsScene, ...waits: readonly string[]): Promise<void> {
  await becomes(async () => {
    return (await flipNow(scene)).waits.map(({ kind, name }) => `${kind} ${name}`.trim());
  }, waits);
}

async function becomes(read: () => Promise<unknown>, wanted: unknown): Promise<void> {
  const isIt = async (): Promise<boolean> => isDeepStrictEqual(await read(), wanted);
  await eventually(isIt).catch(async () => assert.deepEqual(await read(), wanted));
}

export async function objectMode({ admin }: Pick<FlipsScene, "admin">): Promise<string> {
  const { objects } = await listResources(admin);
  const found = objects.find(({ object }) => object.kind === "PeerAuthentication")?.object;
  return found?.kind === "PeerAuthentication" ? found.object.mode : "";
}
