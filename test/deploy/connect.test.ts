/** A person with the chart's Role `portcullis-connect` and nothing else in the cluster: the command finds the server, and comes in. */

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { KubeConnection } from "../../src/edge/kube/kube-connection.ts";
import { kubeconfigAccess } from "../../src/edge/kube/kubeconfig-access.ts";
import { startCluster, type Cluster } from "../kube/cluster.ts";
import { OperatorsRig } from "../kube/operators-rig.ts";
import { pooledConfig } from "../kube/pooled-config.ts";
import { skipKube } from "../kube/skip-kube.ts";
import { runVerb } from "../server/portcullis-process.ts";
import { apply } from "./apply.ts";
import { helm, kubeVersion, parseManifests } from "./chart.ts";

/** What an operator needs of the chart. */
const kinds: ReadonlySet<string> = new Set([
  "ClusterRole",
  "ClusterRoleBinding",
  "Role",
  "RoleBinding",
  "ServiceAccount",
]);

describe("an operator with the chart's rights", { skip: skipKube }, () => {
  let cluster: Cluster;
  let rig: OperatorsRig;
  let kubeconfig: string;

  before(async () => {
    cluster = await startCluster();
    rig = await OperatorsRig.start(cluster);
    const person = await cluster.serviceAccount(await cluster.namespace("people"), "alice");
    const { namespace, name } = person;
    const values = { "operators.connect": [{ kind: "ServiceAccount", name, namespace }] };
    const more = ["--namespace", rig.namespace];
    const manifests = parseManifests(await helm("template", values, kubeVersion, more));
    const access = await kubeconfigAccess({ path: cluster.adminKubeconfig });
    using admin = new KubeConnection({ access });
    for (const each of manifests) if (kinds.has(each.kind)) await apply(admin, each, false);
    kubeconfig = join(rig.directory, "alice.kubeconfig");
    const token = await cluster.tokenOf(person);
    writeFileSync(kubeconfig, pooledConfig(cluster, { token }).exportConfig(), { mode: 0o600 });
  });

  after(async () => {
    await rig?.[Symbol.asyncDispose]();
    await cluster.stop();
  });

  const verb = (...words: string[]): ReturnType<typeof runVerb> =>
    runVerb([...words, "--kubeconfig", kubeconfig, "--kube-namespace", rig.namespace]);

  it("looks at the server", async () => {
    const { stdout } = await rig.eventually(() => verb("status", "-o", "json"));
    assert.match(stdout, /"trustDomain": ?"cluster.local"/);
    const roots = await verb("root", "status");
    assert.equal(roots.status, 0, roots.stderr);
  });

  it("is refused what the account of operators may not do", async () => {
    const { status, stderr } = await verb("root", "prepare");
    assert.notEqual(status, 0);
    const account = `system:serviceaccount:${rig.namespace}:portcullis-operator`;
    assert.ok(stderr.includes(`${account} may not prepare roots.portcullis.io`), stderr);
  });

  it("makes no tokens of another account", async () => {
    const { status, stderr } = await verb("status", "--service-account", "portcullis");
    assert.notEqual(status, 0);
    assert.match(stderr, /serviceaccounts.*portcullis.*token|forbidden|may not/);
  });
});
