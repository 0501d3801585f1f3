/** `portcullis doctor` against a real API server and a real server in it, with the rights of `deploy`: what is broken is found, by its check. */

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import {
  AdmissionregistrationV1Api,
  ApiextensionsV1Api,
  CoreV1Api,
  RbacAuthorizationV1Api,
} from "@kubernetes/client-node";
import { parseAllDocuments } from "yaml";
import { freePorts } from "../../src/app/demo/ports.ts";
import { KubeConnection } from "../../src/edge/kube/kube-connection.ts";
import { kubeconfigAccess } from "../../src/edge/kube/kubeconfig-access.ts";
import type { Manifest } from "../deploy/chart.ts";
import { apply } from "../deploy/apply.ts";
import { startCluster, type Cluster } from "../kube/cluster.ts";
import { pooledConfig } from "../kube/pooled-config.ts";
import { skipKube } from "../kube/skip-kube.ts";
import { eventually, startControlPlane, type TestControlPlane } from "../support/control-plane.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { diagnose, type Diagnosis } from "./diagnose.ts";

const root = join(import.meta.dirname, "../..");
const namespace = "portcullis-system";
const guard = "portcullis-guard";

describe("portcullis doctor", { skip: skipKube }, () => {
  let cluster: Cluster;
  let directory: ReturnType<typeof temporaryDirectory>;
  let server: TestControlPlane;
  let rbac: RbacAuthorizationV1Api;

  before(async () => {
    cluster = await startCluster();
    directory = temporaryDirectory();
    rbac = cluster.kubeConfig().makeApiClient(RbacAuthorizationV1Api);
    await cluster.applyCrds(join(root, "deploy/kubernetes/crds"));
    const access = await kubeconfigAccess({ path: cluster.adminKubeconfig });
    using connection = new KubeConnection({ access });
    for (const file of ["portcullis.yaml", "trust-secret.yaml", "guard.yaml"]) {
      for (const each of manifestsOf(file)) await apply(connection, each, false);
    }
    server = await startServer();
    await eventually(async () => (await found()).of("webhook").status === "ok", 20_000);
  });
  after(async () => {
    await server?.[Symbol.asyncDispose]();
    await cluster.stop();
    directory[Symbol.dispose]();
  });

  function manifestsOf(file: string): readonly Manifest[] {
    const text = readFileSync(join(root, "deploy/kubernetes", file), "utf8");
    return parseAllDocuments(text).map((each) => each.toJS() as Manifest);
  }

  async function startServer(): Promise<TestControlPlane> {
    const token = await cluster.tokenOf({ namespace, name: "portcullis" });
    const kubeconfig = join(directory.path, "kubeconfig");
    writeFileSync(kubeconfig, pooledConfig(cluster, { token }).exportConfig(), { mode: 0o600 });
    const [admin = 0, webhook = 0] = await freePorts(2, Math.random);
    return await startControlPlane({
      flags: {
        kubernetes: kubeconfig,
        "kube-namespace": namespace,
        "admin-listen": `127.0.0.1:${admin}`,
        "trust-secret": "portcullis-trust",
        guard: "warn",
        "guard-listen": `127.0.0.1:${webhook}`,
      },
    });
  }

  const found = (): Promise<Diagnosis> => diagnose(["--data-dir", server.config.dataDir]);
  /** Rights count when the API server has seen them. */
  const until = (isSo: (it: Diagnosis) => boolean): Promise<Diagnosis> =>
    eventually(async () => {
      const it = await found();
      return isSo(it) && it;
    }, 15_000);

  it("finds nothing wrong with a server by the manifests of deploy", async () => {
    const it = await until(({ all }) => !all.some(({ status }) => /critical/.test(status)));
    const wrong = it.all.filter(
      ({ id, status }) => status !== "ok" && !/^(?:pods|settings)$/.test(id),
    );
    // The test's server has no version of its own.
    assert.deepEqual(
      wrong.map(({ id }) => id),
      ["versions"],
      JSON.stringify(wrong),
    );
    assert.equal(it.code, 3);
  });

  it("takes a role for left out that gives nothing, and that may be left out", async () => {
    await rbac.deleteClusterRoleBinding({ name: "portcullis-events" });
    const it = await until(({ of }) => of("rbac").finding.includes("portcullis-events is off"));
    assert.equal(it.of("rbac").status, "ok");
  });

  it("names rights that are gone, and what gives them", async () => {
    await rbac.deleteClusterRoleBinding({ name: "portcullis-policy-status" });
    const it = await until(({ of }) => of("rbac").status === "warning");
    assert.match(
      it.of("rbac").finding,
      /^system:serviceaccount:portcullis-system:portcullis may not patch peerauthentications\/status/,
    );
    assert.match(
      it.of("rbac").hint,
      /clusterrole=portcullis-policy-status --serviceaccount=portcullis-system:portcullis/,
    );
  });

  it("takes rights for critical without which no token is checked", async () => {
    await rbac.deleteClusterRoleBinding({ name: "portcullis-callers" });
    const it = await until(({ of }) => of("rbac").status === "critical");
    assert.match(it.of("rbac").finding, /create tokenreviews.*: tokens cannot be checked/);
    assert.equal(it.code, 4);
  });

  it("names a definition that is gone", async () => {
    const extensions = cluster.kubeConfig().makeApiClient(ApiextensionsV1Api);
    await extensions.deleteCustomResourceDefinition({ name: "sidecars.networking.istio.io" });
    const it = await until(({ of }) => of("crds").status === "warning");
    assert.match(it.of("crds").finding, /^Sidecar\.networking\.istio\.io is not installed/);
  });

  it("says whose roots the API server is told, once nobody mends it", async () => {
    await rbac.deleteClusterRoleBinding({ name: guard });
    await until(({ of }) => of("webhook").status === "skipped");
    const api = cluster.kubeConfig().makeApiClient(AdmissionregistrationV1Api);
    const body = await api.readValidatingWebhookConfiguration({ name: guard });
    for (const { clientConfig } of body.webhooks ?? []) {
      clientConfig.caBundle = Buffer.from(cluster.caPem).toString("base64");
    }
    await api.replaceValidatingWebhookConfiguration({ name: guard, body });
    // By the operator's kubeconfig: the server may not look any more.
    const it = await diagnose(clusterFlags());
    assert.equal(it.of("webhook").status, "critical");
    assert.match(it.of("webhook").finding, /caBundle has none of the mesh's roots/);
  });

  it("holds the server's clock against the API server's, and names a jump", async () => {
    server.jump(300_000);
    const it = await found();
    assert.equal(it.of("clock-jump").status, "critical");
    assert.match(it.of("clock-jump").finding, /jumped by 300 s/);
    assert.match(
      it.of("clocks").finding,
      /the clock of the API server is \d+ s behind that of the server/,
    );
    server.jump(-300_000);
  });

  it("answers while the API server does not, and takes nothing of it for well", async () => {
    cluster.freeze();
    try {
      // A signal takes its time.
      const ofCluster = ["api-server", "rbac", "crds", "audiences", "webhook"];
      const it = await until((now) => ofCluster.every((id) => now.of(id).status === "skipped"));
      assert.equal(it.of("signing").status, "ok");
    } finally {
      cluster.thaw();
    }
  });

  it("says what stands in the cluster of a server that does not answer", async () => {
    await server[Symbol.asyncDispose]();
    const it = await diagnose(clusterFlags());
    assert.deepEqual([it.of("server").status, it.of("pods").status], ["critical", "critical"]);
    assert.equal(it.of("api-server").status, "ok");
    assert.match(it.of("rbac").finding, /portcullis may not/);
    const binding = `kubectl --kubeconfig ${cluster.adminKubeconfig} create clusterrolebinding`;
    assert.ok(it.of("rbac").hint.includes(binding), it.of("rbac").hint);
    assert.deepEqual(
      [it.of("signing").status, it.of("signing").finding],
      ["skipped", "the server has not been asked"],
    );
    assert.equal(it.code, 4);
  });

  it("says why the server's pod is not ready, and who else writes its roots", async () => {
    const core = cluster.kubeConfig().makeApiClient(CoreV1Api);
    const labels = {
      "app.kubernetes.io/name": "portcullis",
      "app.kubernetes.io/component": "server",
    };
    const account = { namespace, name: "portcullis", uid: "" };
    // What a pod of a test is made of is not what the manifests ask for.
    const own = await core.readNamespace({ name: namespace });
    if (own.metadata !== undefined) own.metadata.labels = {};
    await core.replaceNamespace({ name: namespace, body: own });
    const { name } = await cluster.pod(account, { labels, name: "portcullis-0" });
    const pod = await core.readNamespacedPod({ namespace, name });
    const waiting = { reason: "CrashLoopBackOff", message: "back-off 5m0s" };
    const container = { name: "server", image: "", imageID: "", ready: false, restartCount: 9 };
    const containerStatuses = [{ ...container, state: { waiting } }];
    const status = { phase: "Running", containerStatuses };
    await core.replaceNamespacedPodStatus({
      namespace,
      name,
      body: Object.assign(pod, { status }),
    });
    const roots = { namespace: "default", name: "istio-ca-root-cert" };
    const body = await core.readNamespacedConfigMap(roots);
    body.data = { "root-cert.pem": cluster.caPem };
    await core.replaceNamespacedConfigMap({ ...roots, body, fieldManager: "istiod" });
    const it = await diagnose(clusterFlags());
    assert.match(
      it.of("pods").finding,
      /^pod portcullis-0 is not ready: CrashLoopBackOff: back-off/,
    );
    const maps = it.all.filter(({ id }) => id === "bundle-maps").map(({ finding }) => finding);
    assert.match(maps.join("\n"), /behind the trust bundle in 1 of \d+ namespaces: default$/m);
    assert.match(maps.join("\n"), /^istiod writes other roots into istio-ca-root-cert in 1 /m);
  });

  it("exits 1 where neither the server nor the API server answers", async () => {
    await cluster.kill();
    const it = await diagnose(clusterFlags());
    assert.equal(it.code, 1);
    assert.match(it.stderr, /"no server answers at .*ECONNREFUSED/);
  });

  function clusterFlags(): readonly string[] {
    return ["--kubeconfig", cluster.adminKubeconfig, "--kube-namespace", namespace];
  }
});
