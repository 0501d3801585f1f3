import assert from "node:assert/strict";
import { join } from "node:path";
import { it } from "node:test";
import { temporaryDirectory } from "../../../../test/support/temporary-directory.ts";
import { said, sessionOf, whole } from "../../../../test/support/reported-policies.ts";
import { createLocalServer, shutdownGrpc } from "../../../edge/rpc/grpc-server.ts";
import { fetchPolicyStatus } from "../../../edge/rpc/policy-status-client.ts";
import { addService } from "../../../edge/rpc/service-definition.ts";
import { listenOnUnixSocket } from "../../../edge/rpc/unix-listener.ts";
import { AdminService } from "../../../gen/portcullis/admin/v1/admin_pb.ts";
import type { GonePodsView } from "../kube/configuration/gone-pods.ts";
import { PolicyControl } from "./policy-control.ts";
import { policyStatusHandler } from "./policy-status-service.ts";
import { workloadOf } from "../../../../test/support/policy-objects.ts";

function controlOf(workloads: number, gonePods?: GonePodsView): PolicyControl {
  const control = new PolicyControl({
    gonePods,
    trustDomain: "mesh.example",
    events: { policyRefused: () => {}, policyTooLarge: () => {}, policyDropped: () => {} },
    owners: () => ({ isBuilt: false, all: () => [] }),
    nodeAgents: () => new Set(),
    newestNotAfterMs: () => 0,
    provenNowMs: () => 0,
    nowMs: () => 0,
  });
  const entries = Array.from({ length: workloads }, (_, i) =>
    workloadOf(`shop/web-${i}`, { serviceAccount: "web" }),
  );
  control.change(
    entries.map((object) => ({ kind: "WorkloadEntry" as const, object })),
    [],
  );
  return control;
}

it("a status that cannot be made to the end does not end as if it were whole", async () => {
  using directory = temporaryDirectory();
  await using owned = new AsyncDisposableStack();
  const control = owned.use(controlOf(120));
  let asked = 0;
  let askedMax = Number.POSITIVE_INFINITY;
  const sequence = (): number => {
    if (++asked > askedMax) throw new TypeError("a fault of ours");
    return 7;
  };
  const grpc = createLocalServer(1_048_576);
  addService(grpc, AdminService, { getPolicyStatus: policyStatusHandler(control, sequence) });
  const path = join(directory.path, "admin.sock");
  owned.use(await listenOnUnixSocket(grpc, path, 0o600));
  owned.defer(() => shutdownGrpc(grpc, 1_000));
  const { proxies } = await fetchPolicyStatus(`unix://${path}`);
  assert.equal(proxies.length, 120);
  askedMax = asked + 1;
  await assert.rejects(fetchPolicyStatus(`unix://${path}`), (error: Error) => {
    assert.match(`${error.message} ${JSON.stringify(error.cause)}`, /the status could not be made/);
    return true;
  });
});

it("a proxy that is told of has one line, also while another agent may have its name", async () => {
  using directory = temporaryDirectory();
  await using owned = new AsyncDisposableStack();
  const control = owned.use(controlOf(3));
  const grpc = createLocalServer(1_048_576);
  addService(grpc, AdminService, { getPolicyStatus: policyStatusHandler(control, () => 7) });
  const path = join(directory.path, "admin.sock");
  owned.use(await listenOnUnixSocket(grpc, path, 0o600));
  owned.defer(() => shutdownGrpc(grpc, 1_000));
  const spiffeId = "spiffe://mesh.example/ns/shop/sa/web";
  control.take(sessionOf(spiffeId), { spiffeId, agentId: "a" }, whole(said("web-1")));
  assert.equal(control.expected.size, 3);
  const { proxies } = await fetchPolicyStatus(`unix://${path}`);
  assert.deepEqual(
    proxies.map(({ workload, agentId }) => `${workload} ${agentId}`.trim()).toSorted(),
    ["shop/web-0", "shop/web-1 a", "shop/web-2"],
  );
});

it("an earlier pod of a name has a line of its own beside the new one, until its certificates end", async () => {
  using directory = temporaryDirectory();
  await using owned = new AsyncDisposableStack();
  const spiffeId = "spiffe://mesh.example/ns/shop/sa/web";
  const gone = { absence: "earlier-pod", absentUntilMs: 3_600_000 } as const;
  const of = (key: string) => (key === `${spiffeId} web-1` ? gone : undefined);
  const control = owned.use(controlOf(2, { of, hasEnded: () => false }));
  const grpc = createLocalServer(1_048_576);
  addService(grpc, AdminService, { getPolicyStatus: policyStatusHandler(control, () => 7) });
  const path = join(directory.path, "admin.sock");
  owned.use(await listenOnUnixSocket(grpc, path, 0o600));
  owned.defer(() => shutdownGrpc(grpc, 1_000));
  control.take(sessionOf(spiffeId), { spiffeId, agentId: "a" }, whole(said("web-1")));
  const { proxies } = await fetchPolicyStatus(`unix://${path}`);
  assert.deepEqual(
    proxies
      .map(({ proxyId, state, absence, absenceUntil }) => {
        return [proxyId, state, absence, Number(absenceUntil?.seconds ?? 0)].join(" ");
      })
      .toSorted(),
    ["web-0 unknown unheard 0", "web-1 pushed  0", "web-1 unknown earlier-pod 3600"],
  );
});
