/** Operators of a server in a test cluster: with the real API server between them and a stand-in kubelet, and verbs as processes' parts. */

import { create } from "@bufbuild/protobuf";
import { Metadata, status } from "@grpc/grpc-js";
import { CoreV1Api, RbacAuthorizationV1Api, type V1PolicyRule } from "@kubernetes/client-node";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { get } from "node:https";
import { join } from "node:path";
import { connect } from "node:tls";
import { setTimeout as sleep } from "node:timers/promises";
import { dial } from "../../src/edge/rpc/dial.ts";
import { methodDefinition } from "../../src/edge/rpc/service-definition.ts";
import { callUnary } from "../../src/edge/rpc/unary-call.ts";
import {
  AdminService,
  GetStatusRequestSchema,
} from "../../src/gen/portcullis/admin/v1/admin_pb.ts";
import { startControlPlane, type TestControlPlane } from "../support/control-plane.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { runVerb } from "../server/portcullis-process.ts";
import type { Cluster } from "./cluster.ts";
import { StandInKubelet } from "./kubelet.ts";
import type { ObjectRef, PodRef } from "./objects.ts";
import { Place, type Held } from "./pod-place.ts";
import { WatchingVerb } from "./watching-verb.ts";
import { makePki } from "./pki.ts";
import { readFile } from "node:fs/promises";

export const audience = "portcullis-admin";

export interface Said {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export class OperatorsRig implements AsyncDisposable {
  readonly cluster: Cluster;
  readonly server: TestControlPlane;
  readonly kubelet: StandInKubelet;
  readonly namespace: string;
  readonly pod: PodRef;
  readonly directory: string;
  readonly #place: Place;
  readonly #owned: AsyncDisposableStack;

  /**
   * @param rootsOf whose roots stand in the namespace. @default the server's own
   * @param bundleConfigMap kept by the server itself. @default none
   */
  static async start(
    cluster: Cluster,
    options: { readonly rootsOf?: OperatorsRig; readonly bundleConfigMap?: string } = {},
  ): Promise<OperatorsRig> {
    const { rootsOf, bundleConfigMap = "off" } = options;
    await using owned = new AsyncDisposableStack();
    const directory = owned.use(temporaryDirectory()).path;
    const namespace = await cluster.namespace("mesh");
    const name = `portcullis.${namespace}.svc`;
    const server = owned.use(
      await startControlPlane({
        flags: {
          kubernetes: cluster.adminKubeconfig,
          "kube-namespace": namespace,
          "admin-listen": "127.0.0.1:0",
          "serving-dns-name": name,
          "bundle-config-map": bundleConfigMap,
        },
      }),
    );
    const opened = server.log.find(({ event }) => event === "admin-open");
    const adminPort = Number(String(opened?.["address"]).split(":").at(-1));
    const place = new Place(adminPort);
    owned.use(place);
    const pki = await makePki(directory);
    const kubelet = owned.use(
      await StandInKubelet.start({
        cluster,
        portOf: (port) => (port === 15_016 ? place.port() : undefined),
        cert: await readFile(pki.serverCert, "utf8"),
        key: await readFile(pki.serverKey, "utf8"),
      }),
    );
    const account = await cluster.serviceAccount(namespace, "portcullis");
    const labels = {
      "app.kubernetes.io/name": "portcullis",
      "app.kubernetes.io/component": "server",
    };
    const pod = await cluster.pod(account, { node: kubelet.node, labels, name: "portcullis-0" });
    const core = cluster.kubeConfig().makeApiClient(CoreV1Api);
    await makeReady(core, pod);
    const data = { "root-cert.pem": (rootsOf ?? { server }).server.rootPem };
    if (bundleConfigMap === "off") await writeMap(core, namespace, "istio-ca-root-cert", data);
    const parts = { cluster, server, kubelet, namespace, pod, directory, place };
    return new OperatorsRig(parts, owned.move());
  }

  private constructor(
    parts: Pick<
      OperatorsRig,
      "cluster" | "server" | "kubelet" | "namespace" | "pod" | "directory"
    > & {
      readonly place: Place;
    },
    owned: AsyncDisposableStack,
  ) {
    this.cluster = parts.cluster;
    this.server = parts.server;
    this.kubelet = parts.kubelet;
    this.namespace = parts.namespace;
    this.pod = parts.pod;
    this.directory = parts.directory;
    this.#place = parts.place;
    this.#owned = owned;
  }

  /** Whose tokens show him to the admin API. */
  async operator(name: string): Promise<ObjectRef> {
    return await this.cluster.serviceAccount(this.namespace, name);
  }

  /** Of `portcullis.io`, in a ClusterRole of his own. */
  async grant({ namespace, name }: ObjectRef, resource: string, ...verbs: string[]): Promise<void> {
    const rbac = this.cluster.kubeConfig().makeApiClient(RbacAuthorizationV1Api);
    const metadata = { name: `${namespace}-${name}-${resource}-${verbs.join("-")}` };
    const rules = [{ apiGroups: ["portcullis.io"], resources: [resource], verbs }];
    await rbac.createClusterRole({ body: { metadata, rules } });
    const roleRef = {
      apiGroup: "rbac.authorization.k8s.io",
      kind: "ClusterRole",
      name: metadata.name,
    };
    const subjects = [{ kind: "ServiceAccount", namespace, name }];
    await rbac.createClusterRoleBinding({ body: { metadata, roleRef, subjects } });
  }

  /** By the admin's kubeconfig, as a service account of the server's namespace. */
  async verb(words: readonly string[], serviceAccount: string): Promise<Said> {
    return await runVerb([...words, ...this.flags(serviceAccount)]);
  }

  /** One that goes on until it is stopped. */
  watch(words: readonly string[], serviceAccount: string): WatchingVerb {
    return new WatchingVerb([...words, ...this.flags(serviceAccount)]);
  }

  flags(serviceAccount: string): readonly string[] {
    const { cluster, namespace } = this;
    const place = ["--kubeconfig", cluster.adminKubeconfig, "--kube-namespace", namespace];
    return [...place, "--service-account", serviceAccount];
  }

  /** Whether the pod's port is open. */
  set isListening(is: boolean) {
    this.#place.isOpen = is;
  }

  /** Connections are taken, and nothing is answered. */
  hold(): Held {
    return this.#place.hold();
  }

  /** Of a while later than RBAC's own caches, and ours. */
  async eventually(ask: () => Promise<Said>): Promise<Said> {
    for (let left = 20; ; left--) {
      const said = await ask();
      if (said.status === 0 || left === 0) return said;
      await sleep(250);
    }
  }

  /** Of the certificate that the admin API's port shows. */
  async serial(): Promise<string> {
    const { adminPort: port } = this.#place;
    const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false });
    await once(socket, "secureConnect");
    const { serialNumber } = socket.getPeerCertificate();
    socket.destroy();
    return serialNumber;
  }

  /** When the API server has really stopped: a signal takes its time. */
  async frozen(): Promise<void> {
    const url = new URL("/livez", this.cluster.url);
    const isAnswering = (): Promise<boolean> =>
      new Promise((resolve) => {
        const request = get(url, { rejectUnauthorized: false, agent: false, timeout: 300 });
        request.once("response", () => resolve(true));
        request.once("error", () => resolve(false));
        request.once("timeout", () => request.destroy());
      });
    while (await isAnswering());
  }

  async token(account: ObjectRef): Promise<string> {
    return await this.cluster.tokenOf(account, { audience });
  }

  /** The API itself, without a forwarded port. */
  async ask(token: string | undefined): Promise<string> {
    const server = `127.0.0.1:${this.#place.adminPort}`;
    const client = dial({ server, serverRoots: Buffer.from(this.server.rootPem) });
    const metadata = new Metadata();
    if (token !== undefined) metadata.set("authorization", `Bearer ${token}`);
    try {
      await callUnary(client, {
        method: methodDefinition(AdminService, AdminService.method.getStatus),
        message: create(GetStatusRequestSchema),
        metadata,
        timeoutMs: 10_000,
        errorOf: ({ code, details }) => new Error(`${status[code]}: ${details}`),
      });
      return "let in";
    } catch (error) {
      return String(error);
    } finally {
      client.close();
    }
  }

  /**
   * A kubeconfig of somebody who may no more in the cluster than what the verbs need.
   * @param without what he may not, in the words of RBAC
   */
  async kubeconfig(account: ObjectRef, tokenAudience?: string, without = ""): Promise<string> {
    const { cluster, namespace } = this;
    const rbac = cluster.kubeConfig().makeApiClient(RbacAuthorizationV1Api);
    const name = `${account.name}-by-port`;
    const rules = operatorRules.filter(({ resources = [] }) => !resources.includes(without));
    await rbac.createNamespacedRole({ namespace, body: { metadata: { name }, rules } });
    const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name };
    const subjects = [{ kind: "ServiceAccount", namespace, name: account.name }];
    const body = { metadata: { name }, roleRef, subjects };
    await rbac.createNamespacedRoleBinding({ namespace, body });
    const options = tokenAudience === undefined ? {} : { audience: tokenAudience };
    const token = await cluster.tokenOf(account, options);
    const ca = Buffer.from(cluster.caPem).toString("base64");
    const config = {
      apiVersion: "v1",
      kind: "Config",
      clusters: [
        { name: "test", cluster: { server: cluster.url, "certificate-authority-data": ca } },
      ],
      users: [{ name: "him", user: { token } }],
      contexts: [{ name: "him", context: { cluster: "test", user: "him" } }],
      "current-context": "him",
    };
    return this.#write("kubeconfig", JSON.stringify(config));
  }

  /** In a ConfigMap of the server's namespace. */
  async writeRoots(name: string, pem: string): Promise<void> {
    const core = this.cluster.kubeConfig().makeApiClient(CoreV1Api);
    await writeMap(core, this.namespace, name, { "root-cert.pem": pem });
  }

  tokenFile(token: string): string {
    return this.#write("token", token);
  }

  #write(name: string, text: string): string {
    const path = join(this.directory, `${name}-${Math.random()}`);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync();
  }
}

/** In the namespace of the server: all that a kubeconfig must be good for. */
const operatorRules: V1PolicyRule[] = [
  { apiGroups: [""], resources: ["pods"], verbs: ["list"] },
  { apiGroups: [""], resources: ["pods/portforward"], verbs: ["get", "create"] },
  {
    apiGroups: [""],
    resources: ["configmaps"],
    resourceNames: ["istio-ca-root-cert"],
    verbs: ["get"],
  },
  {
    apiGroups: [""],
    resources: ["serviceaccounts/token"],
    resourceNames: ["portcullis-operator"],
    verbs: ["create"],
  },
];

async function makeReady(core: CoreV1Api, { namespace, name }: PodRef): Promise<void> {
  const pod = await core.readNamespacedPod({ namespace, name });
  const conditions = [{ type: "Ready", status: "True" }];
  const status = { phase: "Running", podIP: "10.0.0.7", podIPs: [{ ip: "10.0.0.7" }], conditions };
  await core.replaceNamespacedPodStatus({ namespace, name, body: Object.assign(pod, { status }) });
}

/** What the server does itself, where it keeps the ConfigMaps of its cluster. */
async function writeMap(
  core: CoreV1Api,
  namespace: string,
  name: string,
  data: Record<string, string>,
): Promise<void> {
  const body = { metadata: { name }, data };
  await core.createNamespacedConfigMap({ namespace, body }).catch((error: unknown) => {
    if (!(error instanceof Error) || !error.message.includes("409")) throw error;
  });
}
