/** Ways to a test cluster as our own server has them: by the files of a pod, with what RBAC gives to its service account. */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RbacAuthorizationV1Api, type V1PolicyRule } from "@kubernetes/client-node";
import { inClusterAccess, type KubeAccess } from "../../src/edge/kube/kube-access.ts";
import type { Cluster } from "./cluster.ts";
import type { ObjectRef } from "./objects.ts";

/** A service account of ours, with its files. */
export class OurAccount implements AsyncDisposable {
  readonly account: ObjectRef;
  readonly access: KubeAccess;
  readonly #cluster: Cluster;
  readonly #directory: string;

  /** @param rules of a ClusterRole of its own */
  static async make(cluster: Cluster, rules: V1PolicyRule[] = []): Promise<OurAccount> {
    const account = await cluster.serviceAccount(await cluster.namespace("ours"), "portcullis");
    const directory = await mkdtemp(join(tmpdir(), "portcullis-account-"));
    const ours = new OurAccount(cluster, account, directory);
    await writeFile(join(directory, "ca.crt"), cluster.caPem);
    await ours.writeToken(await cluster.tokenOf(account));
    await ours.grant(rules);
    return ours;
  }

  private constructor(cluster: Cluster, account: ObjectRef, directory: string) {
    this.account = account;
    this.#cluster = cluster;
    this.#directory = directory;
    const { hostname: host, port } = new URL(cluster.url);
    this.access = inClusterAccess({ host, port, directory });
  }

  /** As the kubelet does when one is near its end. */
  async writeToken(token: string): Promise<void> {
    await writeFile(join(this.#directory, "token"), `${token}\n`);
  }

  async grant(rules: V1PolicyRule[]): Promise<void> {
    const { namespace, name } = this.account;
    const rbac = this.#rbac();
    const metadata = { name: namespace };
    await rbac.createClusterRole({ body: { metadata, rules } });
    const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: namespace };
    const subjects = [{ kind: "ServiceAccount", namespace, name }];
    await rbac.createClusterRoleBinding({ body: { metadata, roleRef, subjects } });
  }

  /** What `grant` gave. */
  async revoke(): Promise<void> {
    const name = this.account.namespace;
    await this.#rbac().deleteClusterRoleBinding({ name });
    await this.#rbac().deleteClusterRole({ name });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true });
  }

  #rbac(): RbacAuthorizationV1Api {
    return this.#cluster.kubeConfig().makeApiClient(RbacAuthorizationV1Api);
  }
}

export function mayRead(resource: string, group = ""): V1PolicyRule {
  return { apiGroups: [group], resources: [resource], verbs: ["list", "watch", "get"] };
}
