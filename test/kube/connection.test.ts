/** The connection to the API server against a real one: credentials, typed errors, deadlines, bounds. */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { FlowcontrolApiserverV1Api } from "@kubernetes/client-node";
import { KubeConnection } from "../../src/edge/kube/kube-connection.ts";
import { KubeError, type KubeErrorCode } from "../../src/edge/kube/kube-error.ts";
import { kubeconfigAccess } from "../../src/edge/kube/kubeconfig-access.ts";
import { eventually } from "../support/mesh-process.ts";
import { mayRead, OurAccount } from "./access.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import { skipKube } from "./skip-kube.ts";

const namespaces = { path: "/api/v1/namespaces?limit=1" };

function fails(code: KubeErrorCode, message = /./): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof KubeError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  };
}

describe("a connection to the API server", { skip: skipKube }, () => {
  let cluster: Cluster;
  let admin: KubeConnection;

  before(async () => {
    cluster = await startCluster();
    admin = await cluster.connection();
  });

  after(async () => {
    await cluster.stop();
  });

  it("is made by a kubeconfig", async () => {
    const answer = await admin.send(namespaces);
    assert.equal(Reflect.get(Object(answer), "kind"), "NamespaceList");
  });

  it("is made by a pod's files, and takes a new token from them when the old one is refused", async () => {
    await using ours = await OurAccount.make(cluster, [mayRead("namespaces")]);
    using connection = new KubeConnection({ access: ours.access });
    await ours.writeToken("no token");
    await assert.rejects(connection.send(namespaces), fails("kube-unauthorized"));
    await ours.writeToken(await cluster.tokenOf(ours.account));
    await connection.send(namespaces);
  });

  it("says which line of RBAC is missing", async () => {
    await using ours = await OurAccount.make(cluster);
    using connection = new KubeConnection({ access: ours.access });
    await assert.rejects(connection.send(namespaces), (error) => {
      assert.ok(error instanceof KubeError);
      const hint =
        /^add to the ClusterRole of system:serviceaccount:ours-\w+:portcullis: apiGroups: \[""\], resources: \["namespaces"\], verbs: \["list"\]$/;
      assert.match(error.hint ?? "", hint);
      return fails("kube-forbidden", /cannot list resource/)(error);
    });
  });

  it("tells what is not there from what cannot be", async () => {
    await assert.rejects(
      admin.send({ path: "/apis/example.com/v1/things" }),
      fails("kube-not-found"),
    );
    const body = { apiVersion: "v1", kind: "Namespace", metadata: { name: "No_Name" } };
    const post = { method: "POST", path: "/api/v1/namespaces", body } as const;
    await assert.rejects(admin.send(post), fails("kube-invalid", /No_Name/));
    const known = { ...body, metadata: { name: "kube-system" } };
    await assert.rejects(admin.send({ ...post, body: known }), fails("kube-conflict"));
  });

  it("keeps few connections for many requests, and refuses what comes beyond its line at once", async () => {
    const access = await kubeconfigAccess({ path: cluster.adminKubeconfig });
    using narrow = new KubeConnection({ access, limits: { inFlightMax: 2, waitingMax: 3 } });
    const all = await Promise.allSettled(Array.from({ length: 9 }, () => narrow.send(namespaces)));
    const codes = all.map((each) => (each.status === "rejected" ? each.reason.code : "answered"));
    const busy = codes.filter((code) => code === "kube-busy").length;
    assert.deepEqual([busy, codes.filter((code) => code === "answered").length], [4, 5]);
    assert.equal(narrow.inFlight, 0);
    // Its line is empty, too.
    await Promise.all(Array.from({ length: 5 }, () => narrow.send(namespaces)));
  });

  it("is told to leave a throttling API server alone for a while (APF)", async () => {
    await using ours = await OurAccount.make(cluster, [mayRead("namespaces")]);
    using connection = new KubeConnection({ access: ours.access });
    await connection.send(namespaces);
    await throttle(cluster, ours);
    let throttled: KubeError | undefined;
    await eventually("the API server throttles", async () => {
      const answers = await Promise.allSettled(
        Array.from({ length: 32 }, () => connection.send(namespaces)),
      );
      const errors = answers.flatMap((each) => (each.status === "rejected" ? [each.reason] : []));
      throttled = errors.find((error) => fails("kube-throttled")(error));
      return throttled !== undefined;
    });
    assert.equal(throttled?.retryAfterMs, 1_000);
    // Its probe is no request like others.
    await connection.ask("/livez", 1_000);
  });

  it("ends at its deadline while the API server is frozen, in the line, too, and is healed by the thaw", async () => {
    const access = await kubeconfigAccess({ path: cluster.adminKubeconfig });
    using narrow = new KubeConnection({ access, limits: { inFlightMax: 1, waitingMax: 8 } });
    await narrow.send(namespaces);
    cluster.freeze();
    try {
      const beganMs = performance.now();
      const late = { ...namespaces, deadlineMs: 300 };
      const ends = Array.from({ length: 3 }, () =>
        assert.rejects(narrow.send(late), fails("kube-unreachable", /in 300 ms/)),
      );
      await Promise.all(ends);
      await assert.rejects(narrow.ask("/livez", 200), fails("kube-unreachable"));
      const tookMs = performance.now() - beganMs;
      assert.ok(tookMs < 2_000, `${tookMs} ms`);
      const stop = AbortSignal.abort(new Error("stopped"));
      await assert.rejects(narrow.send({ ...namespaces, signal: stop }), /^Error: stopped/);
    } finally {
      cluster.thaw();
    }
    await narrow.send(namespaces);
    assert.equal(narrow.inFlight, 0);
  });

  it("says that nobody is there, and loses no request to the connections of before a restart", async () => {
    const busy = async (): Promise<void> => {
      await Promise.all(Array.from({ length: 16 }, () => admin.send(namespaces)));
    };
    await busy();
    await cluster.kill();
    await assert.rejects(admin.send(namespaces), fails("kube-unreachable", /ECONNREFUSED/));
    await cluster.restart();
    await busy();
  });

  it("takes no answer of somebody else's certificate", async () => {
    const access = await kubeconfigAccess({ path: cluster.adminKubeconfig });
    const { headers } = await access.credentials();
    const trusting = { server: access.server, credentials: async () => ({ headers, tls: {} }) };
    using connection = new KubeConnection({ access: trusting });
    await assert.rejects(connection.send(namespaces), fails("kube-unreachable", /certificate/));
  });
});

/** Of the account's requests one is let in at a time, the others are rejected: its priority level has no share of the API server. */
async function throttle(cluster: Cluster, { account }: OurAccount): Promise<void> {
  const api = cluster.kubeConfig().makeApiClient(FlowcontrolApiserverV1Api);
  const { namespace, name } = account;
  const limited = {
    nominalConcurrencyShares: 0,
    lendablePercent: 0,
    borrowingLimitPercent: 0,
    limitResponse: { type: "Reject" },
  };
  const metadata = { name: namespace };
  await api.createPriorityLevelConfiguration({
    body: { metadata, spec: { type: "Limited", limited } },
  });
  const subjects = [{ kind: "ServiceAccount", serviceAccount: { namespace, name } }];
  const resourceRules = [
    { apiGroups: ["*"], resources: ["*"], verbs: ["*"], clusterScope: true, namespaces: ["*"] },
  ];
  const spec = {
    priorityLevelConfiguration: { name: namespace },
    matchingPrecedence: 2,
    rules: [{ subjects, resourceRules }],
  };
  await api.createFlowSchema({ body: { metadata, spec } });
}
