/** What it costs to know who calls whom: an agent with a busy Envoy, a server with many agents, and a verdict over a week. */

import { benchAgentEvidence } from "./evidence-agent.ts";
import { benchServerEvidence } from "./evidence-server.ts";
import { benchVerdict } from "./evidence-verdict.ts";
import type { Fixture } from "./fixture.ts";
import type { Measure } from "./report.ts";

export async function benchEvidence(fixture: Fixture): Promise<readonly Measure[]> {
  return [
    ...(await benchVerdict(fixture)),
    ...(await benchAgentEvidence(fixture)),
    ...(await benchServerEvidence(fixture)),
  ];
}
