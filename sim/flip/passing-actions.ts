/** Time goes by, and callers call. */

import { moveCaller } from "./population.ts";
import { callOnce } from "./calls.ts";
import type { Caller } from "./caller.ts";
import { chosen, type WorldAction } from "../run/world-schedule.ts";
import { namespace } from "./mesh-objects.ts";
import type { FlipWorld } from "./world.ts";

/** Of nobody that the configuration knows. */
const outsider = {
  name: "",
  kind: "plaintext",
  isHttp: false,
  claim: "",
  periodMs: 1_000,
  lastsMsMax: 2_000,
  isCalling: false,
} as const;

/** Long enough for a verdict. */
export function quiet(world: FlipWorld): void {
  if (world.server === undefined) world.startServer();
  for (const caller of world.callers) caller.isCalling = false;
  for (const pod of world.there) if (!pod.agent.isAlive) world.startAgent(pod, false);
  world.run(world.plan.lookBackMs + 12_000 + world.random.below(5_000));
}

export function waive(world: FlipWorld, name: string, ms: number): void {
  world.say(`${name} is waived`);
  const { disk, nowMs } = world;
  const { sinceMs = nowMs, untilMs = 0 } = disk.waivers.get(name) ?? {};
  const waiver = { sinceMs, untilMs: Math.max(untilMs, nowMs + ms) };
  world.inServer(() => disk.write("waivers", () => disk.waivers.set(name, waiver)));
}

export const passingActions: readonly WorldAction<FlipWorld>[] = [
  {
    name: "a moment",
    weight: 20,
    apply: (world) => world.run(20 + world.random.below(1_500)),
  },
  {
    name: "a while",
    weight: 16,
    apply: (world) => world.run(2_000 + world.random.below(16_000)),
  },
  {
    name: "quiet",
    weight: 3,
    apply: quiet,
  },
  {
    name: "a caller comes or goes",
    weight: 4,
    apply(world) {
      const caller = chosen(world, world.callers);
      if (caller !== undefined) caller.isCalling = !caller.isCalling;
    },
  },
  {
    name: "a caller calls",
    weight: 5,
    apply(world) {
      const caller = chosen(world, world.callers);
      if (caller !== undefined) callOnce(world, caller);
    },
  },
  {
    name: "all callers call, and one of them is waived then",
    weight: 2,
    apply(world) {
      for (const caller of world.callers) callOnce(world, caller);
      const caller = chosen(world, world.callers);
      if (caller !== undefined) waive(world, `${namespace}/${caller.name}`, 200_000);
    },
  },
  {
    name: "all callers call",
    weight: 4,
    apply(world) {
      for (const caller of world.callers) {
        for (let left = 1 + world.random.below(3); left > 0; left--) callOnce(world, caller);
      }
    },
  },
  {
    name: "an outsider floods",
    weight: 3,
    apply(world) {
      for (let left = 30; left > 0; left--) {
        const address = `198.51.100.${1 + world.random.below(5)}`;
        world.timeline.after(world.random.below(2_000), () =>
          callOnce(world, { ...outsider, address }),
        );
      }
    },
  },
  {
    name: "an address is another's",
    weight: 3,
    apply(world) {
      const [one, other] = [chosen(world, world.callers), chosen(world, world.callers)];
      if (one === undefined || other === undefined || world.server === undefined) return;
      const { random } = world;
      const before = one.address;
      const pod = chosen(
        world,
        world.there.filter(({ app }) => app === "api"),
      );
      const some = (caller: Caller): void => {
        if (random.below(3) > 0) for (let left = 4; left > 0; left--) callOnce(world, caller, pod);
      };
      some(one);
      moveCaller(world, one, `10.0.9.${1 + random.below(200)}`);
      world.run(random.below(6_000));
      if (one === other || random.below(3) === 0) return;
      moveCaller(world, other, before);
      const known = chosen(world, [one, other, undefined]);
      if (known !== undefined) waive(world, `${namespace}/${known.name}`, 200_000);
      world.run(1_000 + random.below(6_000));
      some(other);
    },
  },
];
