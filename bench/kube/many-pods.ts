/** A cluster of many pods: how long a server takes until it serves there, and what it takes of memory. */

import { setTimeout as sleep } from "node:timers/promises";
import { CoreV1Api, type V1Container, type V1Pod } from "@kubernetes/client-node";
import type { Cluster } from "../../test/kube/cluster.ts";
import { readUsage } from "../cpu.ts";
import { drive, type LoadCase } from "../drive.ts";
import type { LoadFixture } from "../fixture.ts";
import type { Measure } from "../report.ts";
import type { BenchServer } from "../server.ts";
import { inFlight } from "./in-flight.ts";
import type { KubeRig } from "./kube-rig.ts";

const podsOfAccount = 10;
const accountsOfNamespace = 10;
const nodes = 100;
const readyMax = 10;
const rssMax = 250;
/** For garbage, and for what follows a start. */
const settleMs = 3_000;
const load: LoadCase = {
  name: "many pods",
  mode: "steady",
  inFlight: 64,
  fresh: true,
  share: 1,
};

/** As their kubelets would report them. They are more than the callers. */
export async function makePods(cluster: Cluster, count: number): Promise<void> {
  const core = cluster.kubeConfig().makeApiClient(CoreV1Api);
  const accounts = Math.ceil(count / podsOfAccount);
  const namespaceOf = (account: number): string =>
    `many-${Math.floor(account / accountsOfNamespace)}`;
  await inFlight(Math.ceil(accounts / accountsOfNamespace), async (index) =>
    core.createNamespace({ body: { metadata: { name: `many-${index}` } } }),
  );
  await inFlight(accounts, async (index) =>
    core.createNamespacedServiceAccount({
      namespace: namespaceOf(index),
      body: { metadata: { name: `app-${index}` } },
    }),
  );
  await inFlight(count, async (index) => {
    const account = Math.floor(index / podsOfAccount);
    const namespace = namespaceOf(account);
    const body = podOf(`app-${account}`, index);
    const made = await core.createNamespacedPod({ namespace, body });
    const podIP = `10.${1 + (index >> 16)}.${(index >> 8) & 0xff}.${index & 0xff}`;
    const conditions = ["Initialized", "Ready", "ContainersReady", "PodScheduled"].map((type) => ({
      type,
      status: "True",
    }));
    const status = { phase: "Running", podIP, podIPs: [{ ip: podIP }], conditions };
    const name = made.metadata?.name ?? "";
    await core.replaceNamespacedPodStatus({
      namespace,
      name,
      body: Object.assign(made, { status }),
    });
  });
}

/** With a sidecar, as in a mesh: 9 KB in JSON. */
function podOf(app: string, index: number): V1Pod {
  const labels = {
    app,
    version: "v1",
    "pod-template-hash": "5d4f8c7b9",
    "security.istio.io/tlsMode": "istio",
    "service.istio.io/canonical-name": app,
  };
  return {
    metadata: { name: `${app}-5d4f8c7b9-${index}`, labels },
    spec: {
      serviceAccountName: app,
      nodeName: `node-${index % nodes}`,
      containers: [containerOf(app, 8080), containerOf("istio-proxy", 15_090)],
    },
  };
}

function containerOf(name: string, port: number): V1Container {
  const httpGet = { path: "/healthz", port };
  return {
    name,
    image: `registry.example.org/shop/${name}:1.2.3`,
    ports: [{ containerPort: port, name: "http" }],
    env: Array.from({ length: 12 }, (_, index) => ({
      name: `SETTING_${index}`,
      value: `a value of setting ${index}`,
    })),
    resources: { requests: { cpu: "100m", memory: "128Mi" }, limits: { memory: "256Mi" } },
    readinessProbe: { httpGet, periodSeconds: 10 },
    livenessProbe: { httpGet, periodSeconds: 10 },
  };
}

/** @param name of the rows */
export async function measureStarts(
  { size, progress }: LoadFixture,
  rig: KubeRig,
  name: string,
): Promise<Measure> {
  const runs: number[] = [];
  for (let run = 0; run < size.runs; run++) {
    progress(`${name}: start ${run + 1} of ${size.runs}`);
    const startMs = performance.now();
    await using _ = await rig.start();
    runs.push((performance.now() - startMs) / 1_000);
  }
  const bound = { kind: "target", value: readyMax } as const;
  return { name: `${name}: start to ready`, kind: "duration", runs, bound };
}

/** Once it watches them, and when it has signed, too. */
export async function measureMemory(
  fixture: LoadFixture,
  server: BenchServer,
  name: string,
): Promise<readonly Measure[]> {
  const { progress, size } = fixture;
  progress(`${name}: ${size.count} certificates`);
  await sleep(settleMs);
  const idle = await readUsage(server.pid);
  await drive(fixture, { server }, load, size.count, 0);
  await sleep(settleMs);
  const after = await readUsage(server.pid);
  const common = { kind: "memory", bound: { kind: "target", value: rssMax } } as const;
  const certificates = `${size.count.toLocaleString("en")} certificates`;
  return [
    { ...common, name: `${name}: RSS`, runs: [idle.rssMiB] },
    { ...common, name: `${name}: RSS after ${certificates}`, runs: [after.rssMiB] },
  ];
}
