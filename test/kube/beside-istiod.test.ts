/** docs/migrate-from-istio.md, step 1: beside an istiod that writes its own root, the server is reached by another ConfigMap, and takes that root over. */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { CoreV1Api } from "@kubernetes/client-node";
import { OpensslPki } from "../support/openssl-pki.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import { OperatorsRig } from "./operators-rig.ts";
import { skipKube } from "./skip-kube.ts";

const bundleConfigMap = "portcullis-root-cert";

describe("beside an istiod", { skip: skipKube }, () => {
  const temporary = temporaryDirectory();
  const istio = new OpensslPki(temporary.path).root("istio", { key: "rsa2048" });
  let cluster: Cluster;
  let rig: OperatorsRig;
  let core: CoreV1Api;

  before(async () => {
    cluster = await startCluster();
    core = cluster.kubeConfig().makeApiClient(CoreV1Api);
    rig = await OperatorsRig.start(cluster, { bundleConfigMap });
    const migration = await rig.operator("migration");
    await rig.grant(migration, "roots", "get", "adopt", "activate", "retire");
    await rig.grant(migration, "status", "get");
  });

  after(async () => {
    await rig?.[Symbol.asyncDispose]();
    await cluster.stop();
    temporary[Symbol.dispose]();
  });

  const verb = (...words: string[]) =>
    rig.verb([...words, "--bundle-config-map", bundleConfigMap], "migration");

  it("its root is taken over by kubeconfig alone, while the roots by which we are known change", async () => {
    const { namespace } = rig;
    const stringData = {
      "ca-cert.pem": istio.certPem,
      "ca-key.pem": istio.keyPem,
      "cert-chain.pem": "",
      "root-cert.pem": "",
    };
    const metadata = { name: "istio-ca-secret" };
    const body = { metadata, type: "istio.io/ca-root", stringData };
    await core.createNamespacedSecret({ namespace, body });
    // In the test's namespace stands what istiod would write.
    await rig.writeRoots("istio-ca-root-cert", istio.certPem);
    const before = await rig.eventually(() => verb("status"));
    assert.equal(before.status, 0, before.stderr);
    const stranger = await rig.verb(["status"], "migration");
    assert.match(stranger.stderr, /by the roots in ConfigMap istio-ca-root-cert/);
    assert.match(
      stranger.stderr,
      /^hint: its roots are others: name .* by --bundle-config-map, or its roots by --server-root FILE$/m,
    );
    const secret = ["--from-secret", `${namespace}/istio-ca-secret`, "--timeout", "40s"];
    const { status, stdout, stderr } = await verb("root", "adopt", ...secret);
    assert.deepEqual([status, stderr], [0, ""], stdout);
    assert.match(stdout, /next, away from it: portcullis root rotate .*--bundle-config-map/);
    // From now on Istio's own ConfigMap says who we are.
    const known = await rig.verb(["status", "-o", "json"], "migration");
    assert.equal(known.status, 0, known.stderr);
  });
});
