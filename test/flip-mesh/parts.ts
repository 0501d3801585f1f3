/** What stands behind the mesh, and the agents before it. */

import { join } from "node:path";
import { MeshAgent } from "../../src/app/demo/mesh/mesh-agent.ts";
import { freePorts } from "../../src/app/demo/ports.ts";
import { MeshPki } from "../policy-envoy/certificates.ts";
import { httpApp } from "../policy-mesh/apps.ts";
import { mint } from "../support/control-plane.ts";
import type { ServerProcess } from "../support/server-process.ts";
import { ledgerApp } from "./ledger-app.ts";
import type { Ports } from "./manifests.ts";

export const trustDomain = "mesh.test";
export const nodeIdentity: string = `spiffe://${trustDomain}/ns/mesh/sa/node-agent`;

export type AgentName = "node" | "api" | "web";

export async function openPorts(owned: AsyncDisposableStack, directory: string): Promise<Ports> {
  const own = new MeshPki(join(directory, "own-tls")).issueFor("ledger.test");
  const { port: http } = await httpApp(owned);
  const tcpApp = await ledgerApp(owned, own);
  const free = await freePorts(4, Math.random);
  const [httpPort = 0, tcp = 0, callHttp = 0, callTcp = 0] = free;
  return { http: httpPort, tcp, httpApp: http, tcpApp, callHttp, callTcp };
}

export async function startAgent(
  name: AgentName,
  directory: string,
  server: ServerProcess,
): Promise<MeshAgent> {
  const isNode = name === "node";
  const [namespace, account] = isNode
    ? ["mesh", "node-agent"]
    : [name === "web" ? "web" : "shop", name];
  return await MeshAgent.start({
    name,
    directory: join(directory, `agent-${name}`),
    server: server.address,
    serverRootFile: server.rootFile,
    token: tokenFor(namespace ?? "", account ?? ""),
    onLost: (error) => process.emitWarning(error),
    ...(isNode && { nodeIdentity }),
  });
}

export function tokenFor(namespace: string, account: string): string {
  const binding = {
    namespace,
    serviceaccount: { name: account, uid: `sa-${account}` },
    pod: { name: `${account}-0`, uid: `pod-${account}` },
  };
  const sub = `system:serviceaccount:${namespace}:${account}`;
  return mint({ sub, "kubernetes.io": binding });
}
