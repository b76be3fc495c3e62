import ij.IJ;
import ij.ImagePlus;
import ij.Macro;
import ij.Menus;
import ij.WindowManager;
import ij.plugin.PlugIn;
import ij.plugin.frame.Recorder;
import java.awt.Button;
import java.awt.Component;
import java.awt.Container;
import java.awt.Dialog;
import java.awt.Frame;
import java.awt.Point;
import java.awt.Scrollbar;
import java.awt.Window;
import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.FutureTask;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.python.jsr223.PyScriptEngineFactory;
import org.scijava.Context;
import org.scijava.convert.ConvertService;
import org.scijava.module.ModuleItem;
import org.scijava.module.ModuleService;
import org.scijava.module.process.PreprocessorPlugin;
import org.scijava.plugin.PluginService;
import org.scijava.script.ScriptInfo;
import org.scijava.script.ScriptService;

/**
 * Does for the scripts of a folder laid out as Fiji.app what Fiji does: menu commands, macros that run them with
 * options, dialogs for their parameters. No Python is in this process.
 *
 * Commands come as lines of tab-separated words on the input stream; every command is answered by one line that
 * starts with "=> ". "start" runs a command beside the others, "wait" answers with its result.
 *
 * With the system property full.fiji, the jars of a whole Fiji are on the class path: its ImageJ2 runs the menu commands,
 * with its own dialogs.
 */
public class FijiLikeHost implements PlugIn {

	private static Context context;
	private static ScriptService scripts;
	private static final boolean FULL = Boolean.getBoolean("full.fiji");
	private static FutureTask<String> started;
	private static final Map<String, File> commands = new HashMap<>();

	public static void main(final String[] args) throws Exception {
		final PrintStream answers = System.out;
		System.setOut(System.err);
		final boolean headless = Boolean.getBoolean("java.awt.headless");
		if (headless || FULL) {
			Class.forName("net.imagej.patcher.LegacyInjector").getMethod("preinit").invoke(null);
		}
		if (FULL) startFull(new File(args[0]), headless);
		else start(new File(args[0]), headless);
		final BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
		for (String line = lines.readLine(); line != null; line = lines.readLine()) {
			final String[] words = line.split("\t");
			String answer;
			try {
				answer = execute(words);
			}
			catch (final Throwable problem) {
				problem.printStackTrace();
				answer = "error: " + problem;
			}
			answers.println("=> " + answer.replace("\n", "\t"));
			answers.flush();
		}
		System.exit(0);
	}

	private static void start(final File fiji, final boolean headless) throws Exception {
		context = new Context();
		scripts = context.service(ScriptService.class);
		scripts.getIndex().add(new PyScriptEngineFactory(), false);
		scripts.addAlias(ImagePlus.class);
		if (!headless) new ij.ImageJ(ij.ImageJ.EMBEDDED);
		else IJ.runMacro("");
		final List<Path> files;
		try (Stream<Path> found = Files.walk(fiji.toPath().resolve("scripts"))) {
			files = found.filter(path -> path.toString().endsWith(".py")).collect(Collectors.toList());
		}
		for (final Path path : files) {
			final String file = path.getFileName().toString();
			final String name = file.substring(0, file.length() - 3).replace('_', ' ');
			commands.put(name, path.toFile());
			Menus.getCommands().put(name, "FijiLikeHost(\"" + name + "\")");
		}
	}

	/** ImageJ2 with the original ImageJ in it, as Fiji's launcher starts it. */
	private static void startFull(final File fiji, final boolean headless) throws Exception {
		final Object imagej = Class.forName("net.imagej.ImageJ").getConstructor().newInstance();
		context = (Context) imagej.getClass().getMethod("getContext").invoke(imagej);
		scripts = context.service(ScriptService.class);
		if (!headless) {
			final Object ui = imagej.getClass().getMethod("ui").invoke(imagej);
			ui.getClass().getMethod("showUI").invoke(ui);
		}
		for (final ScriptInfo info : scripts.getScripts()) {
			if (info.getPath().contains("DeepD3")) commands.put(fileName(info), new File(new File(fiji, "scripts"), info.getPath()));
		}
	}

	private static String execute(final String[] words) throws Exception {
		switch (words[0]) {
			case "start":
				started = new FutureTask<>(() -> execute(Arrays.copyOfRange(words, 1, words.length)));
				new Thread(started, "Run$_" + words[words.length > 2 ? 2 : 1]).start();
				return "started";
			case "wait":
				return started.get();
			case "menu":
				System.clearProperty("deepd3.outcome");
				IJ.doCommand(words[1]);
				return "started";
			case "outcome":
				return System.getProperty("deepd3.outcome", "no outcome");
			case "recorded":
				return Recorder.getInstance().getText();
			case "windows":
				return Stream.of(Window.getWindows()).filter(Window::isShowing).map(FijiLikeHost::titleOf)
					.collect(Collectors.joining("|"));
			case "where":
				return onScreen(words[1]);
			case "slider":
				return slider(Integer.parseInt(words[1]));
			case "pixel":
				return pixel(words[1], Integer.parseInt(words[2]), Integer.parseInt(words[3]));
			case "open":
				final ImagePlus image = IJ.openImage(words[1]);
				image.show();
				return "opened " + image.getTitle();
			case "quietly":
				return runScript(commands.get(words[1]), pairs(words, 2), false);
			case "run":
				return FULL ? runInFull(words[1], pairs(words, 2)) : runScript(commands.get(words[1]), pairs(words, 2), false);
			case "dialog":
				if (!FULL) return runScript(commands.get(words[1]), pairs(words, 2), true);
				return runFromMenu(words[1]);
			case "script":
				return runScript(new File(words[1]), pairs(words, 2), false);
			case "macro":
				return "" + IJ.runMacroFile(words[1], words.length > 2 ? words[2] : "");
			case "escape":
				escapeLater(Long.parseLong(words[1]));
				return "ok";
			default:
				return "error: unknown command " + words[0];
		}
	}

	/** As a macro calls it: run("Command...", "name=[value] ..."). */
	private static String runInFull(final String command, final Map<String, String> values) {
		System.clearProperty("deepd3.outcome");
		final String options = values.entrySet().stream().map(entry -> entry.getKey() + "=[" + entry.getValue() + "]")
			.collect(Collectors.joining(" "));
		IJ.runMacro("lines = split(getArgument(), '\\n'); run(lines[0], lines[1]);", command + "\n" + options + " ");
		return System.getProperty("deepd3.outcome", "no outcome");
	}

	/** As a click in the menu calls it: beside the others, and no macro. */
	private static String runFromMenu(final String command) throws InterruptedException {
		System.clearProperty("deepd3.outcome");
		IJ.doCommand(command);
		String outcome = "running";
		while (outcome.equals("running")) {
			Thread.sleep(50);
			outcome = System.getProperty("deepd3.outcome", "running");
		}
		return outcome;
	}

	private static String titleOf(final Window window) {
		return window instanceof Frame ? ((Frame) window).getTitle()
			: window instanceof Dialog ? ((Dialog) window).getTitle() : "";
	}

	private static List<Component> shown(final Container container) {
		final List<Component> found = new java.util.ArrayList<>();
		for (final Component component : container.getComponents()) {
			if (!component.isShowing()) continue;
			found.add(component);
			if (component instanceof Container) found.addAll(shown((Container) component));
		}
		return found;
	}

	private static List<Component> shown() {
		return Stream.of(Window.getWindows()).filter(Window::isShowing).flatMap(window -> shown(window).stream())
			.collect(Collectors.toList());
	}

	/** Middle of a button on the screen; empty while there is none. */
	private static String onScreen(final String label) {
		for (final Component component : shown()) {
			final String text = component instanceof Button ? ((Button) component).getLabel()
				: component instanceof javax.swing.AbstractButton ? ((javax.swing.AbstractButton) component).getText() : null;
			if (text != null && text.trim().equals(label)) {
				javax.swing.SwingUtilities.getWindowAncestor(component).toFront(); // others may lie over it
				return middle(component);
			}
		}
		return "";
	}

	/** Position, width and value of a slider, counted from 0 over all dialogs; empty if there is none. */
	private static String slider(final int number) {
		final List<Component> sliders = shown().stream().filter(each -> each instanceof Scrollbar
			&& javax.swing.SwingUtilities.getWindowAncestor(each) instanceof Dialog).collect(Collectors.toList());
		if (sliders.size() <= number) return "";
		final Point corner = sliders.get(number).getLocationOnScreen();
		return corner.x + " " + (corner.y + sliders.get(number).getHeight() / 2) + " " + sliders.get(number).getWidth()
			+ " " + ((Scrollbar) sliders.get(number)).getValue();
	}

	/** Where a pixel of an image lies on the screen; empty while its window does not show. */
	private static String pixel(final String title, final int x, final int y) {
		final ImagePlus image = WindowManager.getImage(title);
		if (image == null || image.getCanvas() == null || !image.getCanvas().isShowing()) return "";
		image.getWindow().toFront();
		final Point corner = image.getCanvas().getLocationOnScreen();
		return (corner.x + image.getCanvas().screenX(x)) + " " + (corner.y + image.getCanvas().screenY(y));
	}

	private static String middle(final Component component) {
		final Point corner = component.getLocationOnScreen();
		return (corner.x + component.getWidth() / 2) + " " + (corner.y + component.getHeight() / 2);
	}

	private static void escapeLater(final long milliseconds) {
		final Thread thread = new Thread(() -> {
			try {
				Thread.sleep(milliseconds);
			}
			catch (final InterruptedException ignored) {
				return;
			}
			IJ.setKeyDown(java.awt.event.KeyEvent.VK_ESCAPE);
		});
		thread.setDaemon(true);
		thread.start();
	}

	private static Map<String, String> pairs(final String[] words, final int first) {
		final Map<String, String> values = new HashMap<>();
		for (int i = first; i < words.length; i++) {
			final int equals = words[i].indexOf('=');
			values.put(words[i].substring(0, equals), words[i].substring(equals + 1));
		}
		return values;
	}

	private static String runScript(final File file, final Map<String, String> values, final boolean ask)
		throws Exception
	{
		System.clearProperty("deepd3.outcome");
		final ScriptInfo info = new ScriptInfo(context, file);
		final Map<String, Object> inputs = new HashMap<>();
		final ConvertService convert = context.service(ConvertService.class);
		for (final Map.Entry<String, String> entry : values.entrySet()) {
			final ModuleItem<?> item = info.getInput(entry.getKey());
			if (item == null) throw new IllegalArgumentException("no parameter " + entry.getKey() + " in " + file);
			inputs.put(entry.getKey(), convert.convert(entry.getValue(), item.getType()));
		}
		if (!ask) leaveNothingToAsk(info, inputs);
		// Without postprocessors, which would open a window for every answer.
		final List<PreprocessorPlugin> before = context.service(PluginService.class).createInstancesOfType(
			PreprocessorPlugin.class);
		final Map<String, Object> outputs = context.service(ModuleService.class).run(info, before,
			Collections.emptyList(), inputs).get().getOutputs();
		final Object answer = outputs.get("answer");
		return answer != null ? answer.toString() : System.getProperty("deepd3.outcome", "no outcome");
	}

	/** What a program leaves out, it has decided to leave out: no dialog asks for it. */
	private static void leaveNothingToAsk(final ScriptInfo info, final Map<String, Object> inputs) {
		for (final ModuleItem<?> item : info.inputs()) {
			if (item.getType() == CharSequence.class) inputs.putIfAbsent(item.getName(), null);
		}
	}

	private static String fileName(final ScriptInfo info) {
		final String name = new File(info.getPath()).getName();
		return name.substring(0, name.length() - 3).replace('_', ' ');
	}

	/** A menu command that a macro calls with options. */
	@Override
	public void run(final String command) {
		final String options = Macro.getOptions();
		final Map<String, String> values = new HashMap<>();
		try {
			final File file = commands.get(command);
			for (final ModuleItem<?> item : new ScriptInfo(context, file).inputs()) {
				final String value = options == null ? null : Macro.getValue(options, item.getName(), null);
				if (value != null) values.put(item.getName(), value);
			}
			runScript(file, values, false);
		}
		catch (final Exception problem) {
			IJ.log(problem.toString());
		}
	}
}
