//! The elements and attributes that extraction knows by name; everything else is `Tag::Other`.

macro_rules! tags {
    ($($variant:ident $name:literal),* $(,)?) => {
        #[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Tag { Document, Text, Other, $($variant),* }

        /// How many tags there are, for tables indexed by tag.
        pub const TAGS: usize = [$(Tag::$variant),*].len() + 3;

        fn lower(name: &[u8]) -> Tag {
            match name {
                $($name => Tag::$variant,)*
                _ => Tag::Other,
            }
        }
    };
}

tags! {
    A b"a", Abbr b"abbr", Address b"address", Annotation b"annotation", AnnotationXml b"annotation-xml", Area b"area",
    Article b"article", Aside b"aside", Audio b"audio", B b"b", Base b"base", Blockquote b"blockquote", Body b"body",
    Br b"br", Button b"button", Canvas b"canvas", Caption b"caption", Center b"center", Cite b"cite", Code b"code",
    Col b"col", Colgroup b"colgroup", Datalist b"datalist", Dd b"dd", Del b"del", Details b"details", Dialog b"dialog",
    Dir b"dir", Div b"div", Dl b"dl", Dt b"dt", Em b"em", Embed b"embed", Fieldset b"fieldset",
    Figcaption b"figcaption", Figure b"figure", Font b"font", Footer b"footer", Form b"form", Frame b"frame",
    Frameset b"frameset", H1 b"h1", H2 b"h2", H3 b"h3", H4 b"h4", H5 b"h5", H6 b"h6", Head b"head",
    Header b"header", Hgroup b"hgroup", Hr b"hr", Html b"html", I b"i", Iframe b"iframe", Img b"img",
    Input b"input", Ins b"ins", Kbd b"kbd", Label b"label", Legend b"legend", Li b"li", Link b"link", Main b"main",
    Map b"map", Mark b"mark", Marquee b"marquee", Math b"math", Menclose b"menclose", Menu b"menu", Meta b"meta",
    Mfenced b"mfenced", Mfrac b"mfrac", Mi b"mi", MjxContainer b"mjx-container", Mlabeledtr b"mlabeledtr",
    Mmultiscripts b"mmultiscripts", Mn b"mn", Mo b"mo", Mover b"mover", Mpadded b"mpadded", Mphantom b"mphantom",
    Mprescripts b"mprescripts", Mroot b"mroot", Mrow b"mrow", Ms b"ms", Mspace b"mspace", Msqrt b"msqrt",
    Mstyle b"mstyle", Msub b"msub", Msubsup b"msubsup", Msup b"msup", Mtable b"mtable", Mtd b"mtd",
    Mtext b"mtext", Mtr b"mtr", Munder b"munder", Munderover b"munderover", Nav b"nav", Noembed b"noembed",
    Noframes b"noframes", Nothing b"none", Noscript b"noscript", Object b"object", Ol b"ol", Optgroup b"optgroup",
    Choice b"option", P b"p", Param b"param", Path b"path", Picture b"picture", Plaintext b"plaintext", Pre b"pre",
    Progress b"progress", Q b"q", Rp b"rp", Rt b"rt", Ruby b"ruby", S b"s", Samp b"samp", Script b"script",
    Search b"search", Section b"section", Select b"select", Semantics b"semantics", Small b"small",
    Source b"source", Span b"span", Strike b"strike", Strong b"strong", Style b"style", Sub b"sub",
    Summary b"summary", Sup b"sup", Svg b"svg", Table b"table", Tbody b"tbody", Td b"td", Template b"template",
    Textarea b"textarea", Tfoot b"tfoot", Th b"th", Thead b"thead", Time b"time", Title b"title", Tr b"tr",
    Track b"track", Tt b"tt", U b"u", Ul b"ul", Use b"use", Var b"var", Video b"video", Wbr b"wbr", Xmp b"xmp",
}

impl Tag {
    /// By its name in letters of any case.
    pub fn named(name: &[u8]) -> Tag {
        const LONGEST: usize = 16;
        let mut letters = [0u8; LONGEST];
        let Some(letters) = letters.get_mut(..name.len()) else {
            return Tag::Other;
        };
        for (letter, byte) in letters.iter_mut().zip(name) {
            *letter = byte.to_ascii_lowercase();
        }
        lower(letters)
    }

    /// Elements without content and end tag.
    pub fn is_void(self) -> bool {
        use Tag::*;
        matches!(
            self,
            Area | Base
                | Br
                | Col
                | Embed
                | Frame
                | Hr
                | Img
                | Input
                | Link
                | Meta
                | Param
                | Source
                | Track
                | Wbr
        )
    }

    /// Elements whose content is no markup until their own end tag.
    pub fn is_raw(self) -> bool {
        use Tag::*;
        matches!(
            self,
            Script | Style | Textarea | Title | Xmp | Iframe | Noembed | Noframes
        )
    }

    /// Elements that end an open paragraph and stand on lines of their own.
    pub fn is_block(self) -> bool {
        use Tag::*;
        matches!(
            self,
            Address
                | Article
                | Aside
                | Blockquote
                | Body
                | Caption
                | Center
                | Dd
                | Details
                | Dialog
                | Dir
                | Div
                | Dl
                | Dt
                | Fieldset
                | Figcaption
                | Figure
                | Footer
                | Form
                | H1
                | H2
                | H3
                | H4
                | H5
                | H6
                | Header
                | Hgroup
                | Hr
                | Li
                | Main
                | Menu
                | Nav
                | Ol
                | P
                | Plaintext
                | Pre
                | Search
                | Section
                | Summary
                | Table
                | Tbody
                | Td
                | Tfoot
                | Th
                | Thead
                | Tr
                | Ul
                | Xmp
        )
    }

    pub fn is_heading(self) -> bool {
        (Tag::H1..=Tag::H6).contains(&self)
    }

    /// Boxes that arrange a page and say nothing about what is in them.
    pub fn is_container(self) -> bool {
        use Tag::*;
        matches!(
            self,
            Article | Aside | Body | Center | Div | Footer | Form | Header | Main | Section | Td
        )
    }
}

macro_rules! names {
    ($($variant:ident $name:literal),* $(,)?) => {
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u8)]
        pub enum Name { $($variant),* }

        impl Name {
            /// The attribute, if it is one that extraction looks at.
            pub fn named(name: &[u8]) -> Option<Name> {
                const LONGEST: usize = 13;
                let mut letters = [0u8; LONGEST];
                let letters = letters.get_mut(..name.len())?;
                for (letter, byte) in letters.iter_mut().zip(name) {
                    *letter = byte.to_ascii_lowercase();
                }
                match &*letters {
                    $($name => Some(Name::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

names! {
    Alt b"alt", AltText b"alttext", AriaHidden b"aria-hidden", Class b"class", Content b"content",
    DataLang b"data-lang", DataLanguage b"data-language", DataLatex b"data-latex", DataMathml b"data-mathml", Display b"display", Encoding b"encoding",
    Hidden b"hidden", Href b"href", Id b"id", ItemProp b"itemprop", Lang b"lang", Mathvariant b"mathvariant", Open b"open",
    Close b"close", Role b"role", Src b"src", Start b"start", Style b"style", Type b"type", Value b"value", XmlLang b"xml:lang",
}
