/** `npm run sim:flip`: production's flips to strict, and what they rest on, in a mesh that a seed makes. */

import { runCommand } from "../run/world-command.ts";
import { flipSchedules } from "./schedule.ts";

runCommand(flipSchedules);
