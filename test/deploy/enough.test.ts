/** That the server's account has enough: a real server, by the chart's own file and as the chart's own account, is refused nothing. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { CoreV1Api } from "@kubernetes/client-node";
import { freePorts } from "../../src/app/demo/ports.ts";
import { KubeConnection } from "../../src/edge/kube/kube-connection.ts";
import { kubeconfigAccess } from "../../src/edge/kube/kubeconfig-access.ts";
import { startCluster, type Cluster } from "../kube/cluster.ts";
import { pooledConfig } from "../kube/pooled-config.ts";
import { skipKube } from "../kube/skip-kube.ts";
import { eventually } from "../support/control-plane.ts";
import { ServerProcess } from "../support/server-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { apply } from "./apply.ts";
import { find, ownNamespace, render, type Manifest } from "./chart.ts";

const root = join(import.meta.dirname, "../..");
const portcullis = join(root, "bin/portcullis");

describe("a server with the chart's rights", { skip: skipKube }, () => {
  let cluster: Cluster;
  let directory: ReturnType<typeof temporaryDirectory>;
  let server: ServerProcess;

  before(async () => {
    cluster = await startCluster({ audiences: ["https://kubernetes.default.svc"] });
    directory = temporaryDirectory();
    const access = await kubeconfigAccess({ path: cluster.adminKubeconfig });
    using connection = new KubeConnection({ access });
    await cluster.applyCrds(join(root, "deploy/kubernetes/crds"));
    const values = { trustSecret: "portcullis-trust" };
    const manifests = await render({ "namespace.create": true, ...values });
    for (const each of manifests) await apply(connection, each, false);
    server = await serverOf(manifests);
    await server.start();
  });
  after(async () => {
    await server?.[Symbol.asyncDispose]();
    await cluster.stop();
    directory[Symbol.dispose]();
  });

  /** On this machine: other ports, and a kubeconfig in the place of a pod's files. */
  async function serverOf(manifests: readonly Manifest[]): Promise<ServerProcess> {
    const data = find(manifests, "ConfigMap", "portcullis")["data"] as Record<string, string>;
    const config = join(directory.path, "server.yaml");
    writeFileSync(config, data["server.yaml"] ?? "");
    const token = await cluster.tokenOf({ namespace: ownNamespace, name: "portcullis" });
    const kubeconfig = join(directory.path, "kubeconfig");
    writeFileSync(kubeconfig, pooledConfig(cluster, { token }).exportConfig(), { mode: 0o600 });
    const [admin = 0] = await freePorts(1, Math.random);
    return await ServerProcess.create({
      dataDir: join(directory.path, "data"),
      flags: {
        config,
        kubernetes: kubeconfig,
        "kube-namespace": ownNamespace,
        "admin-listen": `127.0.0.1:${admin}`,
      },
      isInCluster: true,
    });
  }

  it("signs for a pod of the cluster", async () => {
    const account = await cluster.serviceAccount(await cluster.namespace("shop"), "web");
    const pod = await cluster.pod(account, { ip: "127.0.0.1" });
    const token = join(directory.path, "token");
    writeFileSync(token, await cluster.tokenOf(account, { pod, audience: "istio-ca" }));
    const out = join(directory.path, "web");
    mkdirSync(out, { mode: 0o700 });
    const from = ["--server", server.address, "--server-root", server.rootFile];
    await promisify(execFile)(portcullis, [
      "svid",
      "fetch",
      ...from,
      "--token-file",
      token,
      "--out",
      out,
    ]);
    assert.match(readFileSync(join(out, "svid.pem"), "utf8"), /BEGIN CERTIFICATE/);
  });

  it("keeps its trust in the Secret", async () => {
    const core = cluster.kubeConfig().makeApiClient(CoreV1Api);
    await core.readNamespacedSecret({ namespace: ownNamespace, name: "portcullis-trust" });
  });

  it("keeps the roots in the ConfigMap of each namespace", async () => {
    const core = cluster.kubeConfig().makeApiClient(CoreV1Api);
    const namespace = await cluster.namespace("later");
    await eventually(async () => {
      const name = "istio-ca-root-cert";
      const map = await core.readNamespacedConfigMap({ namespace, name }).catch(() => undefined);
      return map?.data?.["root-cert.pem"]?.trim() === server.rootPem.trim();
    }, 10_000);
  });

  it("has been refused nothing", () => {
    const refused = server.log.filter((line) => /forbidden|"kube-[a-z]+"/.test(line));
    assert.deepEqual(refused, []);
  });
});
