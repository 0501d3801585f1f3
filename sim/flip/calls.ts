/** Calls in a simulated mesh: of callers without a proxy, and of the mesh's clients, by what their Envoys are told. */

import { portKeysMax } from "../../src/core/evidence/connection-tally.ts";
import type { Caller } from "./caller.ts";
import type { Call } from "./call.ts";
import { apiPorts, namespace, spiffeIdOf } from "./mesh-objects.ts";
import type { Pod } from "./pod.ts";
import type { FlipWorld } from "./world.ts";

/** @param at undefined: any of those that serve */
export function callOnce(world: FlipWorld, caller: Caller, at?: Pod): void {
  const { random } = world;
  const { name, kind, isHttp, claim, address, lastsMsMax } = caller;
  const servers = world.there.filter(({ app }) => app === "api");
  const pod = at ?? servers[random.below(Math.max(1, servers.length))];
  const port = apiPorts[random.below(apiPorts.length)] ?? 0;
  const lastsMs = random.below(lastsMsMax);
  if (pod === undefined) return;
  const made = { kind, address, port, isHttp, peerUri: "", isGood: true, lastsMs, claim };
  call(world, pod, made, name);
}

/** Now and then, what its Envoy is told to send, to everybody whom it may call. */
export function callAtTimes(world: FlipWorld, client: Pod): void {
  const { timeline, random } = world;
  timeline.after(2_000 + random.below(4_000), () => {
    if (client.isGone) return;
    const { address: own, isBroken, name } = client;
    for (const { address, port, sends } of client.envoy.endpoints) {
      const server = world.there.find((each) => each.address === address);
      if (server === undefined) continue;
      const from = { address: own, peerUri: spiffeIdOf(name), isGood: !isBroken };
      const rest = { isHttp: false, lastsMs: random.below(3_000), claim: "" };
      const kind = sends === "plaintext" ? sends : "mtls";
      call(world, server, { ...from, kind, port, ...rest }, name);
    }
    callAtTimes(world, client);
  });
}

/** More callers than an agent has room for: whoever comes later has no name. */
export function crowd(world: FlipWorld): void {
  for (const pod of world.there) {
    if (pod.app !== "api") continue;
    for (const port of apiPorts) {
      for (let at = 0; at < portKeysMax; at++) {
        const address = `10.9.${at >> 8}.${at & 255}`;
        const rest = { isHttp: false, peerUri: "", isGood: true, lastsMs: 10, claim: "" };
        call(world, pod, { kind: "plaintext", address, port, ...rest }, "");
      }
    }
  }
}

/** @param by whom; "" for nobody who is known */
function call(world: FlipWorld, pod: Pod, made: Call, by: string): void {
  let endedMs: number | undefined;
  let end = (): void => void (endedMs = world.nowMs);
  const { address, port, kind } = made;
  const beganMs = world.nowMs;
  const outcome = pod.traffic.connect(made, () => end());
  if (outcome === undefined || (kind === "mtls" && outcome === "taken")) return;
  const of = { pod: pod.name, by: by === "" ? by : `${namespace}/${by}` };
  const told = { ...of, address, port, kind, outcome, beganMs, endedMs };
  const called = world.truth.called(told);
  end = () => {
    called.endedMs = world.nowMs;
    called.isEndLost = !pod.hears;
  };
}
