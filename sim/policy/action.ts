/** One thing that can happen in a simulated mesh under policy. */

import type { WorldAction } from "../run/world-schedule.ts";
import type { PolicyWorld } from "./world.ts";

export type PolicyAction = WorldAction<PolicyWorld>;
