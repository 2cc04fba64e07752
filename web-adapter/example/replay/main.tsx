import { createRoot } from "react-dom/client";
import { recordingOf } from "../components/timeline/recording";
import { aboutIn, eventsIn } from "./file";
import { Replay } from "./Replay";

const about = aboutIn(document);
const recording = recordingOf(eventsIn(document));
createRoot(document.getElementById("root")!).render(<Replay recording={recording} about={about} />);
