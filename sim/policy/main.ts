/** `npm run sim:policy`: production's rollout of policies, in a mesh that a seed makes. */

import { runCommand } from "../run/world-command.ts";
import { policySchedules } from "./schedule.ts";

runCommand(policySchedules);
