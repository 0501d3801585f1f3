/** The server's own ports, asked from outside: whether each answers, and with which certificate. */

import type { PortFact } from "../../../core/doctor/check-server.ts";
import type { CertificateFact } from "../../../core/doctor/check-times.ts";
import { readEndpoints, type Endpoints } from "../../../edge/config/endpoints.ts";
import {
  formatListenAddress,
  parseListenAddress,
  type ListenAddress,
} from "../../../edge/config/listen-address.ts";
import type { ServerConfig } from "../../../edge/config/server-config.ts";
import { probeReady, probeTls, reachable, type ShownTls } from "../../../edge/rpc/port-probe.ts";
import { isServed } from "../../../edge/rpc/unix-listener.ts";

export interface OwnPorts {
  readonly ports: readonly PortFact[];
  readonly certificates: readonly CertificateFact[];
  /** What the webhook's port has shown. */
  readonly guard: ShownTls | undefined;
}

const timeoutMs = 3_000;
const renewsItself =
  "it is renewed half-way by itself: the server's log says what keeps it from that";

interface TlsPort {
  readonly name: string;
  readonly address: ListenAddress | undefined;
  /** Whether its certificate hangs on the mesh's roots. */
  readonly isOurs: boolean;
}

/** @param roots PEM, of the trust bundle. @throws EndpointsError while not all of them are open */
export async function probeOwnPorts(config: ServerConfig, roots: string): Promise<OwnPorts> {
  const endpoints = await readEndpoints(config.dataDir);
  const tls = tlsPorts(config, endpoints);
  const [shown, metrics, admin] = await Promise.all([
    Promise.all(tls.map((each) => probeOne(each, roots))),
    probeMetrics(endpoints.metrics),
    probeSocket(endpoints.admin),
  ]);
  return {
    ports: [...shown.map(({ port }) => port), metrics, admin],
    certificates: shown.flatMap(({ certificate }) => certificate ?? []),
    guard: shown.find(({ port }) => port.name === guardName)?.shown,
  };
}

const guardName = "the webhook";

/** One that chose its own port is not known to whoever has not opened it. */
function tlsPorts(config: ServerConfig, { ca, bundle }: Endpoints): readonly KnownPort[] {
  const { adminListen, guard, guardListen, bundleCertificate } = config;
  const all: readonly (TlsPort | undefined)[] = [
    { name: "the CA", address: parseListenAddress(ca), isOurs: true },
    adminListen && { name: "operators", address: adminListen, isOurs: true },
    guard === "off" ? undefined : { name: guardName, address: guardListen, isOurs: true },
    bundle === undefined
      ? undefined
      : {
          name: "the bundle endpoint",
          address: parseListenAddress(new URL(bundle).host),
          isOurs: bundleCertificate === undefined,
        },
  ];
  return all.flatMap((each) => {
    const { address } = each ?? {};
    return each === undefined || address === undefined || address.port === 0
      ? []
      : [{ ...each, address }];
  });
}

type KnownPort = TlsPort & { readonly address: ListenAddress };

interface ProbedPort {
  readonly port: PortFact;
  readonly shown?: ShownTls;
  readonly certificate?: CertificateFact;
}

async function probeOne({ name, address, isOurs }: KnownPort, roots: string): Promise<ProbedPort> {
  const port = { name, address: formatListenAddress(reachable(address)) };
  try {
    const shown = await probeTls(address, isOurs ? roots : undefined, timeoutMs);
    const { notBeforeMs, notAfterMs } = shown;
    const hint = isOurs ? renewsItself : "replace the files of --bundle-certificate";
    const certificate = { name: `the certificate of ${name}`, notBeforeMs, notAfterMs, hint };
    return { port: { ...port, problem: "" }, shown, certificate };
  } catch (error) {
    return { port: { ...port, problem: wordsOf(error) } };
  }
}

async function probeMetrics(url: string): Promise<PortFact> {
  const port = { name: "metrics", address: url };
  try {
    const problem = await probeReady(new URL("/readyz", reachableUrl(url)).href, timeoutMs);
    return { ...port, problem };
  } catch (error) {
    return { ...port, problem: wordsOf(error) };
  }
}

function reachableUrl(url: string): string {
  const address = parseListenAddress(new URL(url).host);
  return address === undefined ? url : `http://${formatListenAddress(reachable(address))}`;
}

async function probeSocket(target: string): Promise<PortFact> {
  const address = target.replace(/^unix:\/\//, "");
  const problem = (await isServed(address)) ? "" : "nobody listens";
  return { name: "the operators' socket", address, problem };
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
