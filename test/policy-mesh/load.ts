/** The usual load of the test's mesh, 300 requests a second. */

import { KeptTcp, http2Caller, httpCaller, tcpCaller, type Door } from "./callers.ts";
import { host, member } from "./manifests.ts";
import type { PolicyMesh } from "./policy-mesh.ts";
import { Traffic, type Load } from "./traffic.ts";

export interface MeshTraffic {
  readonly traffic: Traffic;
  readonly kept: readonly KeptTcp[];
}

const keptConnections = 4;
/** Slow, but for less than connections live that a port takes no more. */
const slowMs = 2_500;

export function startTraffic(mesh: PolicyMesh): MeshTraffic {
  const door = (host: string, client = "web-1"): Door => ({
    address: member(client).address,
    port: mesh.callPort(host),
  });
  const { api, grpc, db } = host;
  const kept = Array.from({ length: keptConnections }, () => new KeptTcp(door(db)));
  const fresh = { host: api, kept: 0 };
  const loads: readonly Load[] = [
    { name: "http", perSecond: 60, caller: httpCaller({ ...fresh, door: door(api) }) },
    { name: "batch", perSecond: 30, caller: httpCaller({ ...fresh, door: door(api, "batch-1") }) },
    {
      name: "http kept",
      perSecond: 70,
      caller: httpCaller({ door: door(api), host: api, kept: 10 }),
    },
    {
      name: "http slow",
      perSecond: 10,
      caller: httpCaller({ ...fresh, door: door(api), delayMs: slowMs }),
    },
    { name: "http2 kept", perSecond: 60, caller: http2Caller(door(grpc), grpc) },
    { name: "tcp", perSecond: 30, caller: tcpCaller(door(db)) },
    ...kept.map((caller, at) => ({ name: `tcp kept ${at}`, perSecond: 10, caller })),
  ];
  return { traffic: new Traffic(loads), kept };
}

/** Of these the application says who called. */
export const httpLoads: readonly string[] = ["http", "batch", "http kept", "http2 kept"];
