/** `portcullis doctor` by a kubeconfig: through a forwarded port to the server, and to the API server itself, as whom the kubeconfig is of. */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { CoreV1Api } from "@kubernetes/client-node";
import { startCluster, type Cluster } from "../kube/cluster.ts";
import { OperatorsRig } from "../kube/operators-rig.ts";
import { skipKube } from "../kube/skip-kube.ts";
import { diagnose, type Diagnosis } from "./diagnose.ts";

describe("an operator with a kubeconfig", { skip: skipKube }, () => {
  let cluster: Cluster;
  let rig: OperatorsRig;

  before(async () => {
    cluster = await startCluster();
    rig = await OperatorsRig.start(cluster);
  });
  after(async () => {
    await rig?.[Symbol.asyncDispose]();
    await cluster.stop();
  });

  const asked = (account: string): Promise<Diagnosis> => diagnose(rig.flags(account));

  it("hears the server, and what it cannot say from the cluster", async () => {
    const viewer = await rig.operator("viewer");
    await rig.grant(viewer, "status", "get");
    let it = await asked("viewer");
    // RBAC's own caches are a moment behind.
    for (let left = 20; left > 0 && it.of("server").status !== "ok"; left--)
      it = await asked("viewer");
    assert.match(it.of("server").finding, /^it answers at namespace mesh-/);
    assert.equal(it.of("pods").status, "ok");
    assert.equal(it.of("signing").status, "ok");
    assert.equal(it.of("watches").status, "ok");
    // No definitions of Istio are there, and the server is the cluster's admin.
    assert.deepEqual([it.of("crds").status, it.of("rbac").status], ["warning", "ok"]);
  });

  it("who is not let in is told so, and hears the cluster alone", async () => {
    await rig.operator("nobody");
    const it = await asked("nobody");
    assert.equal(it.of("server").status, "warning");
    assert.match(it.of("server").finding, /may not get status\.portcullis\.io/);
    assert.match(it.of("server").hint, /--clusterrole=portcullis-viewer/);
    assert.equal(it.of("api-server").status, "ok");
    assert.equal(it.of("pods").status, "ok");
    assert.deepEqual([it.of("signing").status, it.of("expiries").status], ["skipped", "skipped"]);
    // The server's settings stand in a ConfigMap that nobody has made here.
    assert.equal(it.of("rbac").status, "skipped");
    assert.match(it.of("rbac").finding, /configmaps\/portcullis/);
  });

  it("is told how to ask a server in its pod that serves nobody from outside", async () => {
    rig.isListening = false;
    const it = await asked("viewer");
    rig.isListening = true;
    const { status, hint } = it.of("server");
    assert.equal(status, "critical");
    const flag = `--kubeconfig ${cluster.adminKubeconfig}`;
    const inPod = `kubectl ${flag} --namespace ${rig.namespace} exec portcullis-0 -- portcullis doctor --data-dir`;
    assert.ok(hint.includes(inPod), hint);
    assert.match(hint, /does not serve operators there \(yet\); its log: kubectl /);
  });

  it("is told which key of the server's own file keeps it from starting", async () => {
    const core = cluster.kubeConfig().makeApiClient(CoreV1Api);
    const { namespace } = rig;
    const data = { "server.yaml": "kubernetes: { tokenCheck: wached }" };
    const body = { metadata: { name: "portcullis" }, data };
    await core.createNamespacedConfigMap({ namespace, body });
    const it = await asked("nobody");
    await core.deleteNamespacedConfigMap({ namespace, name: "portcullis" });
    assert.equal(it.of("settings").status, "critical");
    assert.match(
      it.of("settings").finding,
      /^no server starts with ConfigMap mesh-\S+: server\.yaml: kubernetes\.tokenCheck: expected one of .*, got "wached"/,
    );
    assert.match(it.of("settings").hint, /edit configmap portcullis/);
    assert.match(it.of("rbac").finding, /the check settings says why$/);
  });

  it("who may ask the cluster for little hears the server, which may", async () => {
    const him = await rig.operator("narrow");
    await rig.grant(him, "status", "get");
    const kubeconfig = await rig.kubeconfig(him, "portcullis-admin");
    const flags = ["--kubeconfig", kubeconfig, "--kube-namespace", rig.namespace];
    const token = ["--token-file", rig.tokenFile(await rig.token(him))];
    let it = await diagnose([...flags, ...token]);
    for (let left = 20; left > 0 && it.of("server").status !== "ok"; left--) {
      it = await diagnose([...flags, ...token]);
    }
    assert.deepEqual(
      ["server", "rbac", "api-server", "audiences"].map((id) => it.of(id).status),
      ["ok", "ok", "ok", "ok"],
    );
  });
});
