/** What clients with a proxy call all the time, 100 requests a second, and those who have just got one. */

import { httpCaller, KeptTcp, tcpCaller, type Caller, type Door } from "../policy-mesh/callers.ts";
import { Traffic, type Load } from "../policy-mesh/traffic.ts";
import { host, legacy, moverNextAddress, web, type Ports } from "./manifests.ts";

export interface WebTraffic {
  readonly traffic: Traffic;
  readonly kept: KeptTcp;
}

export function webTraffic({ callHttp, callTcp }: Ports): WebTraffic {
  const http: Door = { address: web.address, port: callHttp };
  const tcp: Door = { address: web.address, port: callTcp };
  const kept = new KeptTcp(tcp);
  const loads: readonly Load[] = [
    { name: "http", perSecond: 40, caller: httpCaller({ door: http, host: host.http, kept: 0 }) },
    {
      name: "http kept",
      perSecond: 30,
      caller: httpCaller({ door: http, host: host.http, kept: 5 }),
    },
    { name: "tcp", perSecond: 20, caller: tcpCaller(tcp) },
    { name: "tcp kept", perSecond: 10, caller: kept },
  ];
  return { traffic: new Traffic(loads), kept };
}

/** Each through its own proxy. */
export function movedTraffic({ callHttp, callTcp }: Ports): Traffic {
  const http = (address: string): Caller =>
    httpCaller({ door: { address, port: callHttp }, host: host.http, kept: 0 });
  return new Traffic([
    { name: "cron", perSecond: 5, caller: http(legacy.cron.address) },
    { name: "report", perSecond: 0.2, caller: http(legacy.report.address) },
    { name: "mover", perSecond: 5, caller: http(moverNextAddress) },
    {
      name: "ledger",
      perSecond: 5,
      caller: tcpCaller({ address: legacy.ledger.address, port: callTcp }),
    },
  ]);
}
