import ij.IJ;
import ij.ImagePlus;
import ij.Macro;
import ij.Menus;
import ij.gui.GenericDialog;
import ij.plugin.PlugIn;
import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.python.jsr223.PyScriptEngineFactory;
import org.scijava.Context;
import org.scijava.convert.ConvertService;
import org.scijava.module.ModuleItem;
import org.scijava.script.ScriptInfo;
import org.scijava.script.ScriptService;

/**
 * Does for the scripts of a folder laid out as Fiji.app what Fiji does: menu commands, macros that run them with
 * options, dialogs for their parameters. No Python is in this process.
 *
 * Commands come as lines of tab-separated words on the input stream; every command is answered by one line that
 * starts with "=> ".
 */
public class FijiLikeHost implements PlugIn {

	private static Context context;
	private static ScriptService scripts;
	private static final Map<String, File> commands = new HashMap<>();

	public static void main(final String[] args) throws Exception {
		final PrintStream answers = System.out;
		System.setOut(System.err);
		final boolean headless = Boolean.getBoolean("java.awt.headless");
		if (headless) {
			Class.forName("net.imagej.patcher.LegacyInjector").getMethod("preinit").invoke(null);
		}
		start(new File(args[0]), headless);
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
			answers.println("=> " + answer.replace("\n", " "));
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

	private static String execute(final String[] words) throws Exception {
		switch (words[0]) {
			case "open":
				final ImagePlus image = IJ.openImage(words[1]);
				image.show();
				return "opened " + image.getTitle();
			case "run":
				return runScript(commands.get(words[1]), pairs(words, 2), false);
			case "dialog":
				return runScript(commands.get(words[1]), pairs(words, 2), true);
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
		if (ask && !ask(info, inputs)) return "dialog cancelled";
		final Map<String, Object> outputs = scripts.run(info, true, inputs).get().getOutputs();
		final Object answer = outputs.get("answer");
		return answer != null ? answer.toString() : System.getProperty("deepd3.outcome", "no outcome");
	}

	/** Asks for the parameters that have no value yet, as a menu command of Fiji does. */
	private static boolean ask(final ScriptInfo info, final Map<String, Object> inputs) {
		final GenericDialog dialog = new GenericDialog(fileName(info));
		final List<ModuleItem<?>> asked = new java.util.ArrayList<>();
		for (final ModuleItem<?> item : info.inputs()) {
			final Class<?> type = item.getType();
			if (inputs.containsKey(item.getName()) || type == ImagePlus.class || Context.class.isAssignableFrom(type)) continue;
			asked.add(item);
			final String label = item.getLabel() == null || item.getLabel().isEmpty() ? item.getName() : item.getLabel();
			final Object value = item.getDefaultValue();
			if (type == Boolean.class) dialog.addCheckbox(label, Boolean.TRUE.equals(value));
			else if (item.getChoices() != null && !item.getChoices().isEmpty()) {
				final String[] choices = item.getChoices().stream().map(Object::toString).toArray(String[]::new);
				dialog.addChoice(label, choices, String.valueOf(value));
			}
			else if (Number.class.isAssignableFrom(type)) {
				final double number = value == null ? 0 : ((Number) value).doubleValue();
				dialog.addNumericField(label, number, type == Integer.class ? 0 : 2);
			}
			else if (type == File.class) {
				if ("directory".equals(item.getWidgetStyle())) dialog.addDirectoryField(label, "", 30);
				else dialog.addFileField(label, "", 30);
			}
			else dialog.addStringField(label, value == null ? "" : value.toString(), 20);
		}
		if (asked.isEmpty()) return true;
		dialog.showDialog();
		if (dialog.wasCanceled()) return false;
		final ConvertService convert = context.service(ConvertService.class);
		for (final ModuleItem<?> item : asked) {
			final Class<?> type = item.getType();
			final Object value;
			if (type == Boolean.class) value = dialog.getNextBoolean();
			else if (item.getChoices() != null && !item.getChoices().isEmpty()) value = dialog.getNextChoice();
			else if (Number.class.isAssignableFrom(type)) value = dialog.getNextNumber();
			else value = dialog.getNextString();
			inputs.put(item.getName(), convert.convert(value, type));
		}
		return true;
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
