/**
 * A CrewAI crew in the browser, framework-free.
 *
 *     client     start, follow, steer
 *     follow     one run over as many connections as it takes
 *     ws, fetch-sse  the two transports, alike from above
 *     reducer    events to what a page shows, a view; pure
 *     result     a view as the parts of a message; pure
 *
 * `crew-web-adapter/react` puts it into assistant-ui.
 */
export { createCrewClient } from "./client.ts";
export type { CommandOptions, CrewClient, CrewClientOptions, StartOptions } from "./client.ts";
export { CrewError } from "./errors.ts";
export type { FollowOptions } from "./follow.ts";
export type { PendingCommand } from "./outbox.ts";
export type * from "./protocol.ts";
export type { ReadOptions, Reads, RunQuery } from "./reads.ts";
export { reduce } from "./reducer.ts";
export { CREW_PART, CREW_QUESTION, toResult } from "./result.ts";
export type { CrewResult, Part, ResultOptions, ResultStatus } from "./result.ts";
export { snapshots } from "./snapshots.ts";
export type { ConnectionStatus } from "./status.ts";
export type { Limits } from "./transport.ts";
export { emptyRun, isFinal, openQuestion, seconds, textOf, viewOf } from "./view.ts";
export type {
  AsideView,
  CallView,
  GroupView,
  HelperView,
  Note,
  Place,
  QuestionView,
  RunView,
  Span,
  Standstill,
  SteerView,
  Step,
  TaskView,
  ToolView,
  WorkView,
} from "./view.ts";
