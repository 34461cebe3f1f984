import { MantineProvider } from "@mantine/core";
import { QueryClientProvider } from "@tanstack/react-query";
import { createRoot } from "react-dom/client";
import { make_query_client } from "./state/session";
import { is_dark } from "./state/theme";
import "@mantine/core/styles/default-css-variables.css";
import "./ui/tokens.css";
import "./ui/ui.css";
import { App } from "./views/app";

createRoot(document.getElementById("root")!).render(
  // The colours are our own variables (ui/tokens.css); Mantine writes no style tags, which the page's policy would refuse.
  <MantineProvider
    withCssVariables={false}
    withGlobalClasses={false}
    withStaticClasses={false}
    forceColorScheme={is_dark() ? "dark" : "light"}
  >
    <QueryClientProvider client={make_query_client()}>
      <App />
    </QueryClientProvider>
  </MantineProvider>,
);
