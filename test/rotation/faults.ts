/** What may befall an agent for a while: the rotation must stop and name it, and go on afterwards. */

import type { Rig } from "./rig.ts";

export interface Fault {
  readonly name: string;
  readonly needsWire?: true;
  readonly begin: (rig: Rig, agent: string) => void | Promise<void>;
  readonly end: (rig: Rig, agent: string) => void | Promise<void>;
}

export const faults: readonly Fault[] = [
  {
    name: "frozen",
    begin: (rig, agent) => rig.mesh.agent(agent).freeze(),
    end: (rig, agent) => rig.mesh.agent(agent).thaw(),
  },
  {
    name: "cut off",
    needsWire: true,
    begin: (rig, agent) => rig.wire(agent).cut(),
    end: (rig, agent) => rig.wire(agent).mend(),
  },
  {
    name: "unheard",
    needsWire: true,
    begin: (rig, agent) => rig.wire(agent).stall(),
    end: (rig, agent) => rig.wire(agent).mend(),
  },
  {
    name: "killed",
    begin: (rig, agent) => rig.mesh.agent(agent).kill(),
    end: (rig, agent) => rig.mesh.agent(agent).restart(),
  },
];
