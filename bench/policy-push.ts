/** How long a change of policy takes until it is in force everywhere, and what it costs an agent. */

import type { Fixture } from "./fixture.ts";
import { benchPushedEnvoys } from "./policy-push-envoys.ts";
import { benchPushedStreams } from "./policy-push-streams.ts";
import type { Measure } from "./report.ts";

export async function benchPolicyPush(fixture: Fixture): Promise<readonly Measure[]> {
  return [...(await benchPushedEnvoys(fixture)), ...(await benchPushedStreams(fixture))];
}
