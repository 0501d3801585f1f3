/** Where the verbs that flip say what: people read the terminal, programs stdout, and with `-o yaml` stdout has the object alone. */

import { ExitCode, type Context } from "./command.ts";
import { Progress } from "./live-progress.ts";
import { changedYaml, type ObjectChange } from "./mtls-change.ts";
import { refusalText, type MtlsRefusal, type RefuseMtls } from "./mtls-refused.ts";
import { tableWidth, wantsColour, type OutputFormat } from "./output.ts";

export const flipOutputFlag = {
  output: {
    type: "string",
    short: "o",
    valueName: "FORMAT",
    help: "json is one object a line, for each change; yaml is the object to commit, and nothing else",
    choices: ["table", "json", "yaml"],
    default: "table",
  },
} as const;

export interface FlipVoice {
  readonly progress: Progress;
  readonly refuse: RefuseMtls;
  /** To people, before anything is done, and in a dry run. */
  readonly show: (text: string) => void;
  /** The object to commit, where that is what is asked for. */
  readonly print: (change: ObjectChange | undefined) => void;
}

export interface VoiceOptions {
  readonly output: OutputFormat;
  readonly dryRun: boolean;
  /** Whether the look-back is another than the server's. */
  readonly isAsked: boolean;
}

export function flipVoice(context: Context, { output, dryRun, isAsked }: VoiceOptions): FlipVoice {
  const { stdout, stderr, ask } = context;
  const progress = new Progress(
    output === "yaml" ? onStderr(context) : context,
    output === "json" ? "json" : "table",
  );
  // Of a dry run it is all that there is to say.
  const people = dryRun && output === "table" ? stdout : stderr;
  const refuse = async (refused: MtlsRefusal): Promise<ExitCode> => {
    progress.end();
    if (!progress.event("refused", { refused })) {
      const columns = tableWidth(context);
      const view = { colour: wantsColour(context), isAsked, columns, nowMs: context.nowMs() };
      stderr.write(refusalText(refused, view));
    }
    return ExitCode.refused;
  };
  return {
    progress,
    refuse,
    show: (text) => {
      // Whoever is asked has to read what about.
      if (output !== "json" || ask !== undefined) people.write(text);
    },
    print: (change) => {
      if (output === "yaml" && change !== undefined) stdout.write(changedYaml(change));
    },
  };
}

/** A terminal if there is somebody to ask at it. */
function onStderr(context: Context): Context {
  return {
    ...context,
    stdout: context.stderr,
    isTty: context.ask !== undefined,
    get columns() {
      return context.columns;
    },
  };
}
