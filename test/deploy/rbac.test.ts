/** The server's account may do what stands here, and nothing else of all that an API server knows. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { CoreV1Api } from "@kubernetes/client-node";
import type { KubeConnection } from "../../src/edge/kube/kube-connection.ts";
import { startCluster, type Cluster } from "../kube/cluster.ts";
import { skipKube } from "../kube/skip-kube.ts";
import { eventually } from "../support/control-plane.ts";
import {
  allowedOf,
  isAllowed,
  probeAttributes,
  probesOf,
  wordsOf,
  type Probe,
} from "./access-matrix.ts";
import { apply } from "./apply.ts";
import { ownNamespace, render } from "./chart.ts";
import { bundle, isGiven, names, steps, trust } from "./expected-rights.ts";

describe("the server's account", { skip: skipKube }, () => {
  let cluster: Cluster;
  let connection: KubeConnection;
  let probes: readonly Probe[];
  /** What an account without any role may do, such as asking what it may do. */
  let everybody: ReadonlySet<string>;

  before(async () => {
    cluster = await startCluster();
    connection = await cluster.connection();
    await cluster.applyCrds(join(import.meta.dirname, "../../deploy/kubernetes/crds"));
    probes = await probesOf(connection, names);
    everybody = await allowedOf(connection, "nobody", probes);
  });

  after(async () => {
    await cluster.stop();
  });

  for (const [name, values, rights] of steps) {
    it(`may do what stands here, and nothing else: ${name}`, async () => {
      for (const each of await render({ "namespace.create": true, ...values })) {
        await apply(connection, each, false);
      }
      const given = probes.filter((probe) => isGiven(rights, probe));
      // A role counts when the API server has seen it.
      await eventually(
        async () => (await allowedOf(connection, "portcullis", given)).size === given.length,
      );
      const expected = everybody.union(new Set(given.map(wordsOf)));
      const allowed = await allowedOf(connection, "portcullis", probes);
      assert.deepEqual([...allowed].toSorted(), [...expected].toSorted());
      assert.ok(probes.length > 2_000);
    });
  }

  it("is refused by name what is worth most", async () => {
    const worst: readonly Omit<Probe, "name">[] = [
      { group: "", resource: "secrets", verb: "list", namespace: "" },
      { group: "", resource: "secrets", verb: "get", namespace: "kube-system" },
      { group: "", resource: "pods", verb: "create", namespace: "" },
      { group: "", resource: "pods/exec", verb: "create", namespace: "" },
      { group: "", resource: "serviceaccounts/token", verb: "create", namespace: ownNamespace },
      { group: "", resource: "users", verb: "impersonate", namespace: "" },
      {
        group: "rbac.authorization.k8s.io",
        resource: "clusterroles",
        verb: "escalate",
        namespace: "",
      },
      { group: "apps", resource: "daemonsets", verb: "create", namespace: "" },
    ];
    const allowed = await allowedOf(
      connection,
      "portcullis",
      worst.map((each) => ({ ...each, name: "" })),
    );
    assert.deepEqual([...allowed], []);
  });

  it("may ask for keys and life by path, and for nothing else", async () => {
    const paths = ["/openid/v1/jwks", "/.well-known/openid-configuration", "/livez"];
    const others = ["/metrics", "/logs", "/debug/pprof/profile", "/configz", "/openid/v2/jwks"];
    for (const path of [...paths, ...others]) {
      const attributes = { nonResourceAttributes: { path, verb: "get" } };
      assert.equal(
        await isAllowed(connection, "portcullis", attributes),
        paths.includes(path),
        path,
      );
    }
  });

  it("creates only objects of its own names, which RBAC alone would not hold", async () => {
    const token = await cluster.tokenOf({ namespace: ownNamespace, name: "portcullis" });
    const core = cluster.kubeConfig({ token }).makeApiClient(CoreV1Api);
    const other = await cluster.namespace("other");
    const make = (name: string, namespace: string) =>
      core.createNamespacedConfigMap({ namespace, body: { metadata: { name } }, dryRun: "All" });
    const refused = { code: 403, message: /creates only objects of its own names/ };
    // A policy counts when the API server has seen it.
    await eventually(
      () =>
        make("extension-apiserver-authentication", other).then(
          () => false,
          (error: { code: number }) => error.code === 403,
        ),
      20_000,
    );
    await assert.rejects(make("extension-apiserver-authentication", "kube-system"), refused);
    await make(bundle, other);
    const secret = (name: string) =>
      core.createNamespacedSecret({
        namespace: ownNamespace,
        body: { metadata: { name } },
        dryRun: "All",
      });
    await assert.rejects(secret("token-of-somebody"), refused);
    await secret(trust);
  });

  it("may be reached by whoever connects, who may do nothing else", async () => {
    const connect = [{ kind: "User", name: "alice", apiGroup: "rbac.authorization.k8s.io" }];
    for (const each of await render({ "operators.connect": connect })) {
      if (each.metadata.name === "portcullis-connect") await apply(connection, each, false);
    }
    const ours = { group: "", namespace: ownNamespace };
    const given: readonly Probe[] = [
      { ...ours, resource: "pods", verb: "list", name: "" },
      { ...ours, resource: "pods", verb: "get", name: "portcullis-0" },
      // By WebSocket the request is a GET.
      { ...ours, resource: "pods/portforward", verb: "get", name: "portcullis-0" },
      { ...ours, resource: "pods/portforward", verb: "create", name: "portcullis-0" },
      { ...ours, resource: "configmaps", verb: "get", name: bundle },
      { ...ours, resource: "serviceaccounts/token", verb: "create", name: "portcullis-operator" },
    ];
    const refused: readonly Probe[] = [
      { ...ours, resource: "pods/portforward", verb: "create", name: "another-0" },
      { ...ours, resource: "pods/exec", verb: "create", name: "portcullis-0" },
      { ...ours, resource: "configmaps", verb: "get", name: "portcullis" },
      { ...ours, resource: "serviceaccounts/token", verb: "create", name: "portcullis" },
      { ...ours, resource: "secrets", verb: "get", name: trust },
    ];
    const may = (probe: Probe): Promise<boolean> => {
      const resourceAttributes = probeAttributes(probe);
      return isAllowed(connection, "", { user: "alice", groups: [], resourceAttributes });
    };
    for (const probe of given) await eventually(() => may(probe));
    for (const probe of refused) assert.equal(await may(probe), false, wordsOf(probe));
  });

  it("is no operator's: the account of operators may change nothing of the cluster", async () => {
    const allowed = await allowedOf(connection, "portcullis-operator", probes);
    const mayMore = [...allowed.difference(everybody)].filter(
      (each) => !each.startsWith("get portcullis.io/"),
    );
    assert.deepEqual(mayMore, []);
  });
});
