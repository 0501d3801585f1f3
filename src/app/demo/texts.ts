/** What the demo says of itself: what one sees, and what to try. */

import type { Parts } from "./stage.ts";
import type { DemoOptions } from "./options.ts";
import type { Paint } from "./paint.ts";
import { leafSeconds, outageMs } from "./schedule.ts";

export function introduction({ seed, stay }: DemoOptions, paint: Paint): readonly string[] {
  const outage = `${outageMs / 1_000} s`;
  return [
    paint("bold", `Portcullis demo, act 1: certificates renew, programs die. Seed ${seed}`),
    "100 requests/s: client -> its Envoy -> mTLS -> the server's Envoy -> application,",
    `each on a new TLS connection. Certificates live ${leafSeconds} s and are renewed over SDS.`,
    `On the way the control plane is killed for ${outage}, and one agent, too.`,
    stay ? "It stays when the minute is over." : "It ends by itself in about a minute.",
    "",
  ];
}

export function rotationIntroduction(seed: number, paint: Paint): readonly string[] {
  return [
    paint("bold", `Portcullis demo, act 2: the root is replaced. Seed ${seed}`),
    "Eight workloads with an Envoy each, at two sidecars' and two nodes' agents, call each other",
    "100 times a second, each time on a new TLS connection. Root B takes root A's place: one agent",
    "is frozen, and the rotation stops and names it; the new signer is taken back once; root A goes",
    "when no certificate hangs on it any more. It ends by itself in about a minute.",
    "",
  ];
}

export function flipIntroduction(seed: number, paint: Paint): readonly string[] {
  return [
    paint("bold", `Portcullis demo, act 3: permissive becomes strict. Seed ${seed}`),
    "A client calls three servers 100 times a second over mTLS, and two others call them in plaintext:",
    "one past its Envoy, one that has none. They are named, and move; then the servers go strict in",
    "stages. One who comes late is refused, by name, and the flip is taken back for him.",
    "It ends by itself in about a minute.",
    "",
  ];
}

export function stayText(parts: Parts, paint: Paint): readonly string[] {
  const { controlPlane, server, clientPort, directory } = parts;
  const { dataDir } = controlPlane;
  const tries: readonly (readonly [string, ...string[]])[] = [
    [
      "a request: client Envoy, mTLS, server Envoy, application",
      `curl http://127.0.0.1:${clientPort}/`,
    ],
    ["what every proxy has proved", `bin/portcullis status --data-dir ${dataDir}`],
    [
      "a certificate of your own",
      `bin/portcullis svid fetch -n demo -s me --data-dir ${dataDir} --out ${directory}/me`,
      `bin/portcullis svid show ${directory}/me/svid.pem`,
    ],
    [
      "what the server's Envoy holds",
      `curl -s --unix-socket ${server.adminSocketPath} http://envoy/certs`,
    ],
    [
      `kill the control plane, for ${outageMs / 1_000} s, or an agent, for a moment`,
      `pkill -9 -f 'dev --data-dir ${dataDir}'`,
      `pkill -9 -f 'agent .*--state-dir ${directory}/client'`,
    ],
  ];
  return [
    paint(
      "bold",
      "All stays until Ctrl-C, its files even longer. In another terminal, from here, try:",
    ),
    ...tries.flatMap(([what, ...commands]) => [
      paint("dim", `  # ${what}`),
      ...commands.map((command) => `  ${command}`),
    ]),
    "",
  ];
}
